/** No secret leaves the process in a trace. */
import { describe, expect, test } from 'bun:test'
import { newStep } from '../../src/inspector/event-data.ts'
import { redacted, redactor, secretsOf } from '../../src/inspector/redact.ts'
import { traceLine } from '../../src/inspector/trace-lines.ts'
import { executorWith, presentOf, recorderWith } from './support.ts'

const hidden = [
  ['a bearer header', 'curl -H "Authorization: Bearer abcdef123456" http://x'],
  ['the same inside JSON text', String.raw`{"command":"curl -H \"Authorization: Bearer abcdef123456\" x"}`],
  ['a header in JSON', '{"authorization":"abcdef123456"}'],
  ['an exported variable', 'export OPENAI_API_KEY=abcdef123456; run'],
  ['a quoted variable', `GITHUB_TOKEN='abcdef123456' run`],
  ['a variable quoted inside JSON text', String.raw`{"command":"DB_PASSWORD=\"abcdef123456\" run"}`],
  ['an option', 'run --token abcdef123456 --fast'],
  ['an option with an equals sign', 'run --api-key=abcdef123456'],
  ['a cookie', 'Cookie: session=abcdef123456'],
  ['user and password in an address', 'git clone https://me:abcdef123456@example.org/x'],
  ['a field of JSON', '{"client_secret": "abcdef123456"}'],
  ['env of a call, whatever it is called', '{"args":{"env":{"HARMLESS":"abcdef123456"}}}'],
  ['env of a call that was cut', '{"args":{"env":{"A":"b","HARMLESS":"abcdef123456'],
] as const

describe('redaction', () => {
  test.each(hidden)('%s', (_name, text) => {
    const clean = redactor()(text)
    expect(clean).not.toContain('abcdef123456')
    expect(clean).toContain(redacted)
  })

  test.each([
    'ghp_0123456789abcdefghijABCDEFGHIJ012345',
    'sk-proj-0123456789abcdefghij',
    'AKIAIOSFODNN7EXAMPLE',
    'eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.abcdef',
  ])('a token known by its looks: %s', (token) => {
    expect(redactor()(`echo ${token} end`)).toBe(`echo ${redacted} end`)
  })

  test('given secrets are hidden wherever they stand, also as JSON text', () => {
    const redact = redactor(['correct"horse'])
    expect(redact('say correct"horse twice')).toBe(`say ${redacted} twice`)
    expect(redact(JSON.stringify({ command: 'say correct"horse' }))).toBe(`{"command":"say ${redacted}"}`)
  })

  test('the environment gives values whose names are secret', () => {
    const secrets = secretsOf({
      MY_TOKEN: 'abcdef123456',
      PATH: '/usr/bin',
      EMPTY_SECRET: '',
      API_KEY: 'short',
    })
    expect(secrets).toEqual(['abcdef123456'])
  })

  test.each([
    'python3 solution.py',
    'echo "hello world"',
    'def tokenize(text):\n    return text.split()',
    'ls -la',
  ])('what is no secret stays: %s', (text) => expect(redactor()(text)).toBe(text))

  test('a trace holds no secret of arguments, outputs and errors, also where they are cut', async () => {
    const secret = 'abcdef123456-secret'
    const recorder = recorderWith()
    const padding = 'p'.repeat(1_990)
    const answer = () => ({
      success: false,
      output: `${padding}${secret}${'q'.repeat(5_000)}`,
      error: `TOKEN=${secret}`,
      execution_id: null,
      metadata: {},
    })
    await using executor = executorWith(recorder.inspect, answer)
    const [slot] = executor.slots('http://127.0.0.1:4000', 1)
    await slot.bash(`${'x'.repeat(900)} ${secret} ${'y'.repeat(3_000)}`)
    await slot.bash(`echo ${secret}`)
    const redact = redactor([secret])
    const state = presentOf(recorder.history)
    const text = [...recorder.history.slice(), state.toRecord()]
      .map((record) => traceLine(record, redact))
      .join('\n')
    expect(text).not.toContain('abcdef')
    expect(text).toContain(redacted)
    for (const line of text.split('\n')) expect(line.length).toBeLessThan(5_000)
  })

  test.each([0, 1, 2, 3])('a secret that is cut in two shows no half, %d', (padding) => {
    const secret = 'abcdef123456-secret'
    const text = `${'x'.repeat(padding)}${`${secret} `.repeat(1_000)}`
    const call = { executionId: 'id', route: '/execute', bytes: 1, timeoutMs: 1, body: text }
    const settlement = { kind: 'answered', value: { success: true, output: text, error: text } }
    const steps = [
      { type: 'execute', call },
      { type: 'settled', call, settlement },
      { type: 'fault', refused: [call], failure: { message: text } },
    ].map((event) => newStep({ n: 0, ms: 0, actor: 0, state: '' }, event))
    for (const step of steps) {
      const line = traceLine(step, redactor([secret]))
      expect(line).toContain(redacted)
      expect(line).not.toContain('abc')
    }
  })
})
