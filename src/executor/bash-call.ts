/** Floor 3: a `bash` call as the sugar of slots and leases takes it. Browser compatible. */
import type { BashArgs } from '../protocol/tools.ts'
import { refuseNonObject } from '../usage.ts'
import { type ExecuteOptions, refuseUnknown } from './options.ts'

/** Options of `slot.bash`: those of `execute`, and the arguments of the tool. */
export interface BashOptions extends ExecuteOptions, Omit<BashArgs, 'command'> {}

const own = ['allow_network', 'require_sandbox', 'stdin', 'env', 'cwd'] as const satisfies (keyof BashArgs)[]

/** The arguments, and the options of `execute` that are left. */
export function bashCall(command: string, options: BashOptions): { args: BashArgs; rest: ExecuteOptions } {
  refuseNonObject(options, 'bash options')
  const { allow_network, require_sandbox, stdin, env, cwd, ...rest } = options
  refuseUnknown(rest, own, 'bash options')
  const args = {
    command,
    ...(allow_network === undefined ? {} : { allow_network }),
    ...(require_sandbox === undefined ? {} : { require_sandbox }),
    ...(stdin === undefined ? {} : { stdin }),
    ...(env === undefined ? {} : { env }),
    ...(cwd === undefined ? {} : { cwd }),
  }
  return { args, rest }
}
