/** The core, checked with nothing but web standards: the same suite runs in every runtime. */
import { callChecks } from './smoke-calls.ts'
import { type Api, Room, type SmokeSettings } from './smoke-room.ts'
import { streamChecks } from './smoke-streams.ts'
import { troubleChecks } from './smoke-trouble.ts'

export interface SmokeReport {
  readonly passed: readonly string[]
  readonly failed: readonly { readonly name: string; readonly message: string }[]
}

const checks = Object.entries({ ...callChecks, ...streamChecks, ...troubleChecks })

/** How many checks there are. */
export const checkCount = checks.length

/** Runs every check; never rejects. */
export async function smoke(api: Api, settings: SmokeSettings): Promise<SmokeReport> {
  const room = new Room(api, settings)
  const passed: string[] = []
  const failed: { name: string; message: string }[] = []
  const run = async ([name, check]: (typeof checks)[number]) => {
    try {
      await check(room)
      passed.push(name)
    } catch (error) {
      failed.push({ name, message: error instanceof Error ? error.message : String(error) })
    }
  }
  await Promise.all(checks.map(run))
  return { passed, failed }
}
