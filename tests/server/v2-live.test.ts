import { describe, expect, test } from 'bun:test'
import type { LiveLine } from '../../src/protocol/batch.ts'
import { LiveOutput } from '../../src/server/v2/live-output.ts'
import { useSandboxes } from './support.ts'
import { batch, command, linesOf, postV2 } from './v2-support.ts'

const openSandbox = useSandboxes()
const open = () => openSandbox({ slots: 2, isolation: 'none' })
const live = { live: true }

describe('a call that is watched', () => {
  test('tells each piece when it is printed, with its stream and offset, before its result', async () => {
    const sandbox = await open()
    const text =
      'echo one; until [ -e go ]; do sleep 0.01; done; echo two >&2; until [ -e go2 ]; do sleep 0.01; done; printf é'
    const lines = linesOf(await postV2(sandbox, '/v2/batch', [command('a', text, live)]))
    const next = async () => (await lines.next()).value
    expect(await next()).toEqual({
      kind: 'live',
      value: { execution_id: 'a', stream: 'stdout', data: 'one\n', offset: 0 },
    })
    // It waits for us: what came before came while it ran.
    await batch(sandbox, [command('go', 'touch ../slot_0/go', { slot_id: 'slot_1' })])
    expect(await next()).toMatchObject({ value: { stream: 'stderr', data: 'two\n', offset: 0 } })
    await batch(sandbox, [command('go2', 'touch ../slot_0/go2', { slot_id: 'slot_1' })])
    expect(await next()).toMatchObject({ value: { stream: 'stdout', data: 'é', offset: 4 } })
    expect(await next()).toMatchObject({ kind: 'result', value: { output: 'one\né\n[stderr]\ntwo' } })
    expect(await next()).toMatchObject({ kind: 'done' })
  })

  test('that one does not want to watch tells nothing', async () => {
    const lines = await Array.fromAsync(
      linesOf(await postV2(await open(), '/v2/batch', [command('a', 'echo one')])),
    )
    expect(lines.map(({ kind }) => kind)).toEqual(['result', 'done'])
  })

  test('by a reader who stalls goes on, and the reader misses the middle, with the gap told', async () => {
    const sandbox = await open()
    const text = 'head -c 3000000 /dev/zero | tr "\\0" x; echo end'
    const stalled = await postV2(sandbox, '/v2/batch', [command('a', text, live)])
    // The command has ended when the next one of its slot has.
    await batch(sandbox, [command('next', 'true')])
    const lines = await Array.fromAsync(linesOf(stalled))
    const pieces = lines.flatMap((line) => (line.kind === 'live' ? [line.value] : []))
    const told = pieces.reduce((sum, { data }) => sum + data.length, 0)
    expect(told).toBeLessThan(200_000)
    const last = pieces.at(-1)
    expect(last?.data.endsWith('xend\n')).toBe(true)
    expect((last?.offset ?? 0) + (last?.data.length ?? 0)).toBe(3_000_004)
    expect(lines.at(-2)).toMatchObject({ kind: 'result', value: { metadata: { stdout_bytes: 3_000_004 } } })
  })
})

describe('pieces of output', () => {
  const bytes = (text: string) => new TextEncoder().encode(text)
  const joined = (pieces: readonly Pick<LiveLine, 'data'>[]) => pieces.map(({ data }) => data).join('')

  test('never cut a character, wherever the pipe cut it', () => {
    const whole = bytes('aé€😀z')
    for (let cut = 0; cut <= whole.length; cut++) {
      const output = new LiveOutput()
      const reader = output.read(() => {})
      const told = []
      for (const part of [whole.subarray(0, cut), whole.subarray(cut)]) {
        output.push('stdout', part)
        told.push(...reader.take(false))
      }
      told.push(...reader.take(true))
      expect(joined(told)).toBe('aé€😀z')
      expect(joined(told)).not.toContain('\ufffd')
      expect(
        told.every(({ offset, data }) =>
          bytes('aé€😀z').subarray(offset).join().startsWith(bytes(data).join()),
        ),
      ).toBe(true)
    }
  })

  test('that are no UTF-8 are told at the end at the latest', () => {
    const output = new LiveOutput()
    const reader = output.read(() => {})
    output.push('stdout', new Uint8Array([0xff, 0x61, 0xe2, 0x82]))
    expect(joined([...reader.take(false), ...reader.take(true)])).toBe('\ufffda\ufffd')
  })

  test('that nobody takes are bounded, and begin with a whole character', () => {
    const output = new LiveOutput()
    const reader = output.read(() => {})
    const piece = bytes('é'.repeat(500))
    for (let count = 0; count < 1_000; count++) output.push('stdout', piece)
    const [kept] = reader.take(false)
    expect(kept?.data.length).toBeLessThan(33_000)
    expect(kept?.data).not.toContain('\ufffd')
    expect((kept?.offset ?? 0) + bytes(kept?.data ?? '').length).toBe(1_000_000)
  })

  test('are copies: what was pushed may be written over, or given back', () => {
    const output = new LiveOutput()
    const reader = output.read(() => {})
    const piece = Buffer.from('0123')
    output.push('stdout', piece)
    piece.fill('x')
    expect(joined(reader.take(false))).toBe('0123')
  })

  test('begin for a reader who comes late with what is printed then', () => {
    const output = new LiveOutput()
    output.push('stderr', bytes('before'))
    const reader = output.read(() => {})
    output.push('stderr', bytes('after'))
    expect(reader.take(true)).toEqual([{ stream: 'stderr', data: 'after', offset: 6 }])
  })
})
