/** Floor 2: what Nomad tells about the allocations of a job. Browser compatible. */
import * as v from 'valibot'
import type { DiscoveredContainer } from '../ports/discovery.ts'
import { normalAddress } from '../protocol/address.ts'

/** Go says null for what is empty. */
const list = <T>(item: v.GenericSchema<unknown, T>) => v.nullish(v.array(item), [])

const port = v.object({
  Label: v.string(),
  Value: v.number(),
  HostIP: v.nullish(v.string(), ''),
})
const network = v.object({
  IP: v.nullish(v.string(), ''),
  DynamicPorts: list(port),
  ReservedPorts: list(port),
})
const resources = v.object({
  Shared: v.nullish(v.object({ Ports: list(port), Networks: list(network) })),
  Tasks: v.nullish(v.record(v.string(), v.object({ Networks: list(network) })), {}),
})
const taskState = v.object({
  State: v.nullish(v.string(), ''),
  Failed: v.nullish(v.boolean(), false),
  Restarts: v.nullish(v.number(), 0),
  Events: list(
    v.object({
      Type: v.nullish(v.string(), ''),
      DisplayMessage: v.nullish(v.string(), ''),
      Message: v.nullish(v.string(), ''),
    }),
  ),
})

/** One allocation, as a list tells it. */
export const allocation = v.object({
  ID: v.string(),
  /** `job.group[2]`: with its place in the group. */
  Name: v.nullish(v.string(), ''),
  TaskGroup: v.string(),
  DesiredStatus: v.string(),
  ClientStatus: v.string(),
  ClientDescription: v.nullish(v.string(), ''),
  JobVersion: v.nullish(v.number(), 0),
  CreateIndex: v.nullish(v.number(), 0),
  TaskStates: v.nullish(v.record(v.string(), taskState), {}),
  AllocatedResources: v.nullish(resources),
})
/** An answer to `GET /v1/job/{id}/allocations`. */
export const allocations = v.array(allocation)
/** The part of `GET /v1/allocation/{id}` that lists may leave out. */
export const allocationDetails = v.object({ AllocatedResources: v.nullish(resources) })

export type Allocation = v.InferOutput<typeof allocation>
export type AllocatedResources = v.InferOutput<typeof resources>
export type TaskState = v.InferOutput<typeof taskState>
type Network = v.InferOutput<typeof network>

/**
 * Where the port with this label is reached from outside: a port of the group, else one of the group's networks, else
 * one of a task's. Undefined when it is not known.
 */
export function addressOf(allocated: AllocatedResources, label: string): string | undefined {
  const groups = allocated.Shared?.Networks ?? []
  const shared = (allocated.Shared?.Ports ?? [])
    .filter(({ Label }) => Label === label)
    .map(({ HostIP, Value }) => webAddress(HostIP || groups[0]?.IP, Value))
  const tasks = Object.values(allocated.Tasks ?? {}).flatMap(({ Networks }) => Networks ?? [])
  return [...shared, ...inNetworks(groups, label), ...inNetworks(tasks, label)].find(
    (found) => found !== undefined,
  )
}

function inNetworks(networks: readonly Network[], label: string): (string | undefined)[] {
  return networks.flatMap(({ IP, DynamicPorts, ReservedPorts }) =>
    [...(DynamicPorts ?? []), ...(ReservedPorts ?? [])]
      .filter(({ Label }) => Label === label)
      .map(({ Value }) => webAddress(IP, Value)),
  )
}

/** `http://` and host and port; IPv6 gets its brackets. */
function webAddress(host: string | null | undefined, value: number): string | undefined {
  if (!host || /[\s/?#@\\]/.test(host) || !Number.isInteger(value) || value < 1 || value > 65_535)
    return undefined
  return normalAddress(`http://${host.includes(':') && !host.startsWith('[') ? `[${host}]` : host}:${value}`)
}

/** Whether a container may run there: it runs, and belongs to the group, if one is named. */
export function isRunning({ ClientStatus, TaskGroup }: Allocation, group: string | undefined): boolean {
  return ClientStatus === 'running' && (group === undefined || TaskGroup === group)
}

/** The containers in a list: what runs and has a known port. Two at one address cannot both be there: the later one is. */
export function containersIn(
  found: readonly Allocation[],
  group: string | undefined,
  portLabel: string,
): readonly DiscoveredContainer[] {
  const byAddress = new Map<string, DiscoveredContainer>()
  for (const each of found.toSorted((a, b) => (a.CreateIndex ?? 0) - (b.CreateIndex ?? 0))) {
    const { AllocatedResources: allocated, DesiredStatus, ID, Name } = each
    const index = indexIn(Name)
    const addr = allocated && isRunning(each, group) ? addressOf(allocated, portLabel) : undefined
    if (addr === undefined) continue
    byAddress.set(addr, {
      addr,
      allocId: ID,
      ...(index !== undefined && { index }),
      ...(DesiredStatus !== 'run' && { draining: true }),
    })
  }
  return [...byAddress.values()]
}

/** Nomad takes the highest one away first when there shall be fewer. */
function indexIn(name: string | null | undefined): number | undefined {
  const index = /\[(\d+)\]$/.exec(name ?? '')?.[1]
  return index === undefined ? undefined : Number(index)
}
