/** The slots of containers that run already. */
import type { SandboxExecutor } from '../../executor/sandbox-executor.ts'
import type { Slot } from '../../executor/slot.ts'
import type { ContainerStatus } from '../../protocol/health.ts'
import { CommandFailure, exitCodes } from '../failure.ts'

/** All slots of all containers, at most `limit` of each. @throws {CommandFailure} for a container that is not ready */
export async function slotsOfContainers(
  executor: Pick<SandboxExecutor, 'getContainerStatus' | 'slots'>,
  addresses: readonly string[],
  limit: number | undefined,
  signal: AbortSignal,
): Promise<Slot[]> {
  const statuses = await Promise.all(
    addresses.map(async (address) => {
      return { address, status: await executor.getContainerStatus(address, { signal }) }
    }),
  )
  if (signal.aborted) return []
  return statuses.flatMap(({ address, status }) => executor.slots(address, slotCount(address, status, limit)))
}

/** How many slots of a container are used. */
export function slotCount(
  address: string,
  status: ContainerStatus | null,
  limit: number | undefined,
): number {
  if (status === null) {
    throw new CommandFailure(
      `Cannot use the container ${address}: GET /health brought no JSON object`,
      exitCodes.notAllRan,
    )
  }
  if (status.status !== 'ok') {
    const said = status.status === undefined ? 'no status' : `the status ${JSON.stringify(status.status)}`
    throw new CommandFailure(
      `Cannot use the container ${address}: GET /health says ${said}, not "ok"`,
      exitCodes.notAllRan,
    )
  }
  const announced = status.slots
  if (announced !== undefined && Number.isInteger(announced) && announced > 0) {
    return Math.min(announced, limit ?? announced)
  }
  if (limit !== undefined) return limit
  throw new CommandFailure(
    `The container ${address} does not say how many slots it has: say it with --slots <n>, or give its token with --token-file <file>`,
  )
}
