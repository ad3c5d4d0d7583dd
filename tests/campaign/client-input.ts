/**
 * Promise 16, the client: options, ids, timeouts, tools and slot names that are wrong, and keys that nobody knows, mixed
 * with right ones: a typed error names the field, and nothing leaves. `bun tests/campaign/client-input.ts [rounds]`
 */
import fc from 'fast-check'
import { createMemoryTransport, SandboxExecutor, SandboxUsageError } from '../../mod.ts'
import { atLeast, type Check, exactly, runAlone } from './check.ts'

const notMilliseconds = fc.oneof(
  fc.constantFrom<unknown>(Number.NaN, '5', -1, 0, -0, Number.POSITIVE_INFINITY, null, true, [], {}, 5n),
  fc.double({ max: 0, noNaN: true }),
  fc.string(),
)
const notText = fc.constantFrom<unknown>(7, null, true, [], {}, '', '\ud800', 'x\udfff')
const known = ['timeoutMs', 'signal', 'executionId', 'onStdout', 'onStderr']
const stranger = fc.string({ minLength: 1 }).filter((key) => !known.includes(key) && !(key in {}))

const bashArgs = ['command', 'allow_network', 'require_sandbox', 'stdin', 'env', 'cwd']

interface Wrong {
  readonly field: string
  readonly tool: unknown
  readonly args: unknown
  readonly options: unknown
}

const right = { tool: 'bash', args: { command: 'x' }, options: { timeoutMs: 5 } }
const option = (field: string, values: fc.Arbitrary<unknown>) =>
  values.map((value): Wrong => ({ ...right, field, options: { ...right.options, [field]: value } }))

const wrongCalls: fc.Arbitrary<Wrong> = fc.oneof(
  option('timeoutMs', notMilliseconds),
  option('executionId', notText),
  option('signal', fc.constantFrom<unknown>({}, 7, 'x', null)),
  option('onStdout', fc.constantFrom<unknown>({}, 7, 'x', null)),
  stranger.map((key): Wrong => ({ ...right, field: key, options: { ...right.options, [key]: 1 } })),
  notText.map((tool): Wrong => ({ ...right, field: 'tool', tool })),
  fc
    .constantFrom<unknown>('ls', 7, null, true, ['ls'])
    .map((args): Wrong => ({ ...right, field: 'args', args })),
  fc.constant<Wrong>({ ...right, field: 'args', tool: 'my_tool', args: { n: 5n } }),
  fc
    .constantFrom<object>({}, { command: 7 }, { command: null, cwd: 'a' })
    .map((args): Wrong => ({ ...right, field: 'args.command', args })),
  fc
    .string({ minLength: 1 })
    .filter((key) => !bashArgs.includes(key) && key !== '__proto__')
    .map((key): Wrong => ({ ...right, field: `args.${key}`, args: { ...right.args, [key]: 1 } })),
)

const kindOf = (field: string) => (field.startsWith('args.') ? 'unknown arguments' : 'unknown keys')

export const clientInput: Check = {
  name: 'client-input',
  row: '16',
  unit: 'rounds',
  sizes: { full: 20_000, quick: 1_000 },
  run: async (rounds) => {
    let asked = 0
    const transport = createMemoryTransport(async () => {
      asked += 1
      return Response.json({ status: 'ok' })
    })
    await using executor = new SandboxExecutor({ transport })
    const [slot] = executor.slots('input:1', 1)
    const fields = new Set<string>()
    const property = fc.asyncProperty(wrongCalls, async ({ field, tool, args, options }) => {
      const running = executor.execute(
        slot,
        tool as string,
        args as Record<string, unknown>,
        options as object,
      )
      const error = await running.catch((reason: unknown) => reason)
      if (!(error instanceof SandboxUsageError)) throw new Error(`${field}: ${JSON.stringify(error)}`)
      if (error.field !== field) throw new Error(`${field} is called ${error.field}`)
      if (!error.message.includes(field)) throw new Error(`${field} is not named: ${error.message}`)
      fields.add(known.includes(field) || field in right || field === 'args.command' ? field : kindOf(field))
    })
    const { failed, counterexample, errorInstance, numRuns } = await fc.check(property, { numRuns: rounds })
    const wrongs = failed ? [`${fc.stringify(counterexample)}: ${errorInstance}`] : []
    return {
      done: `${numRuns} calls with one thing wrong: ${[...fields].join(', ')}`,
      figures: [
        exactly('that were not refused by name', wrongs.length, 0),
        exactly('requests that left', asked, 0),
        atLeast('kinds of faults', fields.size, 8),
      ],
      wrongs,
    }
  },
}

if (import.meta.main) await runAlone(clientInput)
