/** What Nomad's answers look like: fields and their names as recorded, values as a test says them. */
import * as v from 'valibot'

const taskGroup = v.looseObject({ Name: v.string(), Count: v.number() })

const jobSpec = v.looseObject({
  ID: v.string(),
  Namespace: v.optional(v.string(), 'default'),
  TaskGroups: v.tupleWithRest([taskGroup], taskGroup),
})

export type JobSpec = v.InferOutput<typeof jobSpec>

export const registration = v.object({
  Job: jobSpec,
  EnforceIndex: v.optional(v.boolean(), false),
  JobModifyIndex: v.optional(v.number(), 0),
})

export interface Job {
  readonly spec: JobSpec
  stopped: boolean
  version: number
  modifyIndex: number
  evaluation: { readonly ID: string; readonly Status: string }
}

/** What a test says of an allocation; the rest is as usual. */
export interface Placed {
  readonly id?: string
  readonly group?: string
  readonly ip?: string
  readonly port?: number
  readonly label?: string
  readonly client?: 'pending' | 'running' | 'complete' | 'failed' | 'lost' | 'unknown'
  readonly desired?: 'run' | 'stop' | 'evict'
  readonly failed?: boolean
  readonly restarts?: number
  /** Type and message of task events. */
  readonly events?: readonly (readonly [string, string])[]
}

export interface Stored {
  /** Namespace and ID of its job. */
  readonly job: string
  readonly version: number
  readonly createIndex: number
  /** Its place in the group. */
  readonly nth: number
  placed: Placed & { readonly id: string }
}

/** What reached it. */
export interface NomadRequest {
  readonly method: string
  readonly path: string
  readonly query: URLSearchParams
  readonly token: string | null
  readonly body: unknown
}

/** Options of `startNomad`. */
export interface NomadStandInOptions {
  readonly token?: string
  /** Namespaces that exist. Default: `default` alone. */
  readonly namespaces?: readonly string[]
  /** Lists leave the resources out, whatever they are asked for. */
  readonly withoutResources?: boolean
}

/** An allocation as lists tell it. */
export function stub(stored: Stored, withoutResources: boolean): object {
  const { placed, version, createIndex } = stored
  const { id, group = 'sandbox', client = 'running', desired = 'run' } = placed
  const [namespace = '', job = ''] = stored.job.split('/')
  return {
    ID: id,
    EvalID: '27cd5a6a-4fa2-83b4-b92e-5f3bd3f7b1b0',
    Name: `${job}.${group}[${stored.nth}]`,
    Namespace: namespace,
    NodeID: '9a5c2e0e-55b6-b0c0-e1b1-0d4ce1f0b7a4',
    NodeName: 'client-1',
    JobID: job,
    JobType: 'service',
    JobVersion: version,
    TaskGroup: group,
    DesiredStatus: desired,
    DesiredDescription: '',
    ClientStatus: client,
    ClientDescription: client === 'running' ? 'Tasks are running' : '',
    DesiredTransition: { Migrate: null, Reschedule: null },
    TaskStates: client === 'pending' && !placed.events ? null : { server: taskState(placed) },
    DeploymentStatus: { Healthy: true, Timestamp: '2026-08-01T10:00:00Z', Canary: false, ModifyIndex: 20 },
    FollowupEvalID: '',
    RescheduleTracker: null,
    PreemptedAllocations: null,
    PreemptedByAllocation: '',
    CreateIndex: createIndex,
    ModifyIndex: createIndex,
    CreateTime: 1785578400000000000,
    ModifyTime: 1785578400000000000,
    ...(withoutResources ? {} : { AllocatedResources: resources(placed) }),
  }
}

/** An allocation as it is told alone. */
export function details(stored: Stored): object {
  return { ...stub(stored, false), Job: { ID: stored.job }, Metrics: { NodesEvaluated: 1 } }
}

function taskState({ client = 'running', failed = false, restarts = 0, events = [] }: Placed): object {
  const state = client === 'running' || client === 'pending' ? client : 'dead'
  return {
    State: state,
    Failed: failed,
    Restarts: restarts,
    LastRestart: null,
    StartedAt: '2026-08-01T10:00:00Z',
    FinishedAt: null,
    Events: events.map(([Type, DisplayMessage], nth) => ({
      Type,
      Time: 1785578400000000000 + nth,
      DisplayMessage,
      Message: '',
      Details: {},
    })),
    TaskHandle: null,
  }
}

function resources({ ip = '127.0.0.1', port = 20_000, label = 'http' }: Placed): object {
  const http = { Label: label, Value: port, To: 0, HostNetwork: 'default', IgnoreCollision: false }
  const network = { Mode: 'host', Device: '', CIDR: '', IP: ip, Hostname: '', MBits: 0, DNS: null }
  return {
    Tasks: {
      server: {
        Cpu: { CpuShares: 500, ReservedCores: null },
        Memory: { MemoryMB: 512, MemoryMaxMB: 0 },
        Networks: null,
        Devices: null,
      },
    },
    TaskLifecycles: { server: null },
    Shared: {
      Networks: [{ ...network, ReservedPorts: null, DynamicPorts: [http] }],
      DiskMB: 300,
      Ports: [{ Label: label, Value: port, To: 0, HostIP: ip }],
    },
  }
}

/** A job as it is read. */
export function described({ spec, stopped, version, modifyIndex }: Job): object {
  const Status = stopped ? 'dead' : 'running'
  return {
    ...spec,
    Stop: stopped,
    Status,
    StatusDescription: '',
    Version: version,
    JobModifyIndex: modifyIndex,
  }
}

/** What is added to an evaluation that found no place. */
export function noRoom(group: string): object {
  const metrics = {
    NodesEvaluated: 1,
    NodesFiltered: 1,
    NodesAvailable: { dc1: 1 },
    ConstraintFiltered: { 'missing drivers': 1 },
    NodesExhausted: 0,
    DimensionExhausted: null,
    CoalescedFailures: 0,
  }
  return { FailedTGAllocs: { [group]: metrics }, BlockedEval: '0b6ca0b4-7a0d-6f0c-f3a5-6f3f7c2f1b2d' }
}

/** The scale of a job. */
export function scaleOf({ spec, stopped, modifyIndex }: Job, wanted: readonly Stored[]): object {
  const groups = spec.TaskGroups.map(({ Name, Count }) => {
    const ours = wanted.filter(({ placed: { group = 'sandbox' } }) => group === Name)
    const Running = ours.filter(({ placed }) => placed.client !== 'pending').length
    return [
      Name,
      { Desired: Count, Placed: ours.length, Running, Healthy: Running, Unhealthy: 0, Events: null },
    ]
  })
  return {
    JobID: spec.ID,
    JobCreateIndex: 11,
    JobModifyIndex: modifyIndex,
    JobStopped: stopped,
    TaskGroups: Object.fromEntries(groups),
  }
}
