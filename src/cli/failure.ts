/** How the commands end. */

/** What the process tells its caller. */
export const exitCodes = {
  allRan: 0,
  notAllRan: 1,
  wrongUsage: 2,
  interrupted: 130,
  terminated: 143,
} as const

/** Ends the command with one sentence on stderr. */
export class CommandFailure extends Error {
  override name = 'CommandFailure'

  constructor(
    message: string,
    readonly exitCode: number = exitCodes.wrongUsage,
  ) {
    super(message)
  }
}
