/** A file outside the server, to which each command appends its executionId: it knows how often each has run. */
import { appendFileSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

export class Witness implements Disposable {
  readonly #directory = mkdtempSync(join(tmpdir(), 'sandbox-slots-witness-'))
  readonly path = join(this.#directory, 'witness')

  constructor() {
    appendFileSync(this.path, '')
  }

  /** A command that leaves its mark first. */
  command(executionId: string, rest: string): string {
    return `echo ${executionId} >> '${this.path}'; ${rest}`
  }

  /** How often each call ran. */
  counts(): Map<string, number> {
    const counts = new Map<string, number>()
    for (const id of readFileSync(this.path, 'utf8').split('\n').filter(Boolean))
      counts.set(id, (counts.get(id) ?? 0) + 1)
    return counts
  }

  [Symbol.dispose](): void {
    rmSync(this.#directory, { recursive: true })
  }
}
