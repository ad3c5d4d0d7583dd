/** The command `health`. */
import { Argument, type Command } from 'commander'
import * as v from 'valibot'
import { SandboxExecutor } from '../executor/sandbox-executor.ts'
import { exitCodes } from './failure.ts'
import { addresses } from './option-values.ts'
import { type Cell, formatTable } from './table.ts'
import { readToken, tokenFileOption } from './token.ts'
import { whyUnanswered } from './why-unanswered.ts'

const unreachable = 'unreachable'

/** One container, as the table and `--json` show it. */
export interface Health {
  readonly container: string
  readonly ok: boolean
  /** As the container says it; `unreachable` when it gives no answer that can be read. */
  readonly status: string
  readonly slots: number | null
  readonly available: number | null
  readonly executing: number | null
}

const healthOptions = v.strictObject({
  json: v.optional(v.boolean(), false),
  tokenFile: v.optional(v.string()),
})

export function addHealthCommand(program: Command): void {
  program
    .command('health')
    .summary('ask servers how they are')
    .description('Asks servers how they are. Exit code 0 when all are ok, 1 otherwise.')
    .addArgument(new Argument('<url...>', 'addresses of servers').argParser(addresses))
    .option('--json', 'print an array of objects')
    .addOption(tokenFileOption('a file with the token of the servers'))
    .action(async (urls: unknown, options: unknown) => {
      const { json, tokenFile } = v.parse(healthOptions, options)
      const token = await readToken(tokenFile)
      process.exitCode = await health(v.parse(v.array(v.string()), urls), json, token)
    })
}

async function health(urls: readonly string[], json: boolean, token: string | undefined): Promise<number> {
  await using executor = new SandboxExecutor(token === undefined ? {} : { token })
  const all = await Promise.all(urls.map((url) => healthOf(executor, url)))
  console.log(json ? JSON.stringify(all) : formatHealth(all))
  for (const { container, status } of all) {
    if (status === unreachable) console.error(`${container}: ${await whyUnanswered(container)}`)
  }
  return all.every(({ ok }) => ok) ? exitCodes.allRan : exitCodes.notAllRan
}

async function healthOf(executor: SandboxExecutor, container: string): Promise<Health> {
  const [ok, status] = await Promise.all([
    executor.healthCheck(container),
    executor.getContainerStatus(container),
  ])
  return {
    container,
    ok,
    status: status === null ? unreachable : (status.status ?? 'unknown'),
    slots: status?.slots ?? null,
    available: status?.available ?? null,
    executing: status?.executing ?? null,
  }
}

/** The table of `health`. */
export function formatHealth(all: readonly Health[]): string {
  const head = ['container', 'status', 'slots', 'available', 'executing']
  const rows = all.map(({ container, status, slots, available, executing }): Cell[] => {
    return [container, status, slots ?? '–', available ?? '–', executing ?? '–']
  })
  return formatTable([head, ...rows])
}
