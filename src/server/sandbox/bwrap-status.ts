/** What bubblewrap tells on its `--json-status-fd`: one JSON object a line. */
import * as v from 'valibot'
import { parseJson } from '../../protocol/routes.ts'

export interface BwrapStatus {
  /** The pid, outside, of the sandbox's first process. */
  readonly childPid: number | null
  /** Told only when the sandbox had been set up completely: what comes without it is no result of the command. */
  readonly exitCode: number | null
}

const line = v.object({ 'child-pid': v.optional(v.number()), 'exit-code': v.optional(v.number()) })

/** Lines that are not understood are skipped. */
export function parseBwrapStatus(text: string): BwrapStatus {
  let childPid: number | null = null
  let exitCode: number | null = null
  for (const object of text.split(/(?<=\})\s*/)) {
    const parsed = v.safeParse(line, parseJson(object))
    if (!parsed.success) continue
    childPid = parsed.output['child-pid'] ?? childPid
    exitCode = parsed.output['exit-code'] ?? exitCode
  }
  return { childPid, exitCode }
}
