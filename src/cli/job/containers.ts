/** Where the containers of a run come from: the embedded server, addresses, or a Nomad job. */
import { nomadDiscovery } from '../../discovery/nomad-discovery.ts'
import { staticDiscovery } from '../../discovery/static-discovery.ts'
import type { SandboxExecutor } from '../../executor/sandbox-executor.ts'
import type { Discovery } from '../../ports/discovery.ts'
import type { ContainerStatus } from '../../protocol/health.ts'
import { CommandFailure, exitCodes } from '../failure.ts'
import { whyUnanswered } from '../why-unanswered.ts'

/** A job of a Nomad cluster. */
export interface NomadJob {
  readonly url: string
  readonly job: string
  readonly token: string | undefined
}

/** How long a job waits for a slot when none is left: a cluster needs its time to start a container anew. */
export const clusterPatienceMs = 300_000

/** Namespace and region are those of Nomad's own environment variables. */
export function discoveryOf(addresses: readonly string[], nomad: NomadJob | undefined): Discovery {
  if (nomad === undefined) return staticDiscovery(addresses)
  const { url, job, token } = nomad
  const { NOMAD_NAMESPACE: namespace, NOMAD_REGION: region } = process.env
  return nomadDiscovery({
    url,
    job,
    ...(token === undefined ? {} : { token }),
    ...(namespace ? { namespace } : {}),
    ...(region ? { region } : {}),
  })
}

/** @throws {CommandFailure} for a container that is not ready, or does not say how many slots it has */
export async function refuseUnready(
  executor: Pick<SandboxExecutor, 'getContainerStatus'>,
  addresses: readonly string[],
  limit: number | undefined,
  signal: AbortSignal,
): Promise<void> {
  const statuses = await Promise.all(
    addresses.map((address) => executor.getContainerStatus(address, { signal })),
  )
  if (signal.aborted) return
  for (const [index, address] of addresses.entries()) {
    const status = statuses[index]
    if (status) refuseStatus(address, status, limit)
    else throw unusable(address, await whyUnanswered(address))
  }
}

/** @throws {CommandFailure} when the container that says this cannot be used */
export function refuseStatus(address: string, status: ContainerStatus, limit: number | undefined): void {
  if (status.status !== 'ok') {
    const said = status.status === undefined ? 'no status' : `the status ${JSON.stringify(status.status)}`
    throw unusable(address, `GET /health says ${said}, not "ok"`)
  }
  if (limit !== undefined || (status.slots ?? 0) > 0) return
  throw new CommandFailure(
    `The container ${address} does not say how many slots it has: say it with --slots <n>, or give its token with --token-file <file>`,
  )
}

function unusable(address: string, why: string): CommandFailure {
  return new CommandFailure(`Cannot use the container ${address}: ${why}`, exitCodes.notAllRan)
}
