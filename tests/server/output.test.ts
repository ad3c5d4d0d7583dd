import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { KeptOutput } from '../../src/server/sandbox/collect-output.ts'
import { createSandbox, type Sandbox } from '../../src/server/sandbox.ts'
import { headAndTail, isDropped } from '../../src/server/tools/text.ts'
import { bash, hasBubblewrap } from './support.ts'

const bytes = (text: string) => new TextEncoder().encode(text)

/** What is kept of `text` when it comes in pieces of `size` bytes. */
function kept(text: Uint8Array, size: number, head = 40, tail = 20) {
  const output = new KeptOutput(head, tail)
  for (let at = 0; at < text.length; at += size) output.push(text.subarray(at, at + size))
  return output.ends
}

describe('what is kept of an output', () => {
  const long = Array.from({ length: 60 }, (_, at) => `é${at}`).join('')

  test.each([1, 2, 3, 7, 19])('is head and tail in pieces of %d bytes', (size) => {
    const { head, tail, bytes: count } = kept(bytes(long), size)
    expect(count).toBe(bytes(long).length)
    expect(long.startsWith(head)).toBe(true)
    expect(tail !== null && long.endsWith(tail)).toBe(true)
    expect(bytes(head).length).toBeGreaterThan(37)
    expect(bytes(tail ?? '').length).toBeGreaterThan(17)
  })

  test.each([1, 5, 100])('is all of it when it is short (pieces of %d bytes)', (size) => {
    expect(kept(bytes('grüße, 😀'), size)).toEqual({ head: 'grüße, 😀', tail: null, bytes: 13 })
    expect(kept(bytes('x'.repeat(60)), size)).toEqual({ head: 'x'.repeat(60), tail: null, bytes: 60 })
  })

  test.each([1, 2, 3, 5, 6, 7, 12, 13, 40])('is exactly both ends, in pieces of %d bytes', (size) => {
    for (let length = 0; length <= 40; length++) {
      const text = 'abcdefghijklmnopqrstuvwxyz0123456789ABCD'.slice(0, length)
      const isWhole = length <= 12
      expect(kept(bytes(text), size, 7, 5)).toEqual({
        head: isWhole ? text : text.slice(0, 7),
        tail: isWhole ? null : text.slice(-5),
        bytes: length,
      })
    }
  })

  test('is a copy: what was pushed may be written over, or given back', () => {
    const output = new KeptOutput(4, 4)
    const piece = Buffer.from('012345')
    output.push(piece)
    piece.fill('x')
    expect(output.ends.head).toBe('012345')
  })

  test('is U+FFFD where it is no UTF-8, once per fault', () => {
    expect(kept(new Uint8Array([97, 0xff, 98, 0xe2, 0x82]), 1).head).toBe('a�b�')
    expect(kept(new Uint8Array(200).fill(0x80), 7).bytes).toBe(200)
  })

  test('is bounded, whatever comes', () => {
    const output = new KeptOutput(1_000, 500)
    for (let round = 0; round < 200_000; round++) output.push(bytes('0123456789'))
    const { head, tail } = output.ends
    expect([output.bytes, head.length]).toEqual([2_000_000, 1_000])
    expect((tail ?? '').length).toBeLessThan(2_000)
  })

  test('is shown with its head, its tail, and the bytes between them', () => {
    expect(headAndTail({ head: '0123456789', tail: null, bytes: 10 }, 10)).toBe('0123456789')
    expect(headAndTail({ head: '0123456789', tail: null, bytes: 10 }, 4)).toBe(
      '01\n... (6 bytes dropped)\n89',
    )
    expect(headAndTail({ head: '😀😀😀', tail: '€€€', bytes: 100 }, 2)).toBe('😀\n... (93 bytes dropped)\n€')
    expect(isDropped({ head: '😀😀', tail: null, bytes: 8 }, 2)).toBe(false)
    expect(isDropped({ head: '😀😀', tail: null, bytes: 8 }, 1)).toBe(true)
  })
})

describe.skipIf(!hasBubblewrap)('bash', () => {
  let sandbox: Sandbox
  beforeAll(async () => {
    sandbox = await createSandbox({ slots: 1 })
  })
  afterAll(() => sandbox.stop())

  test('tells stdout and stderr apart, as they are, beside the base form of both', async () => {
    const { output, metadata } = await bash(sandbox, 'echo " out"; echo err >&2; printf "é\\n\\n"')
    expect(output).toBe('out\né\n\n\n[stderr]\nerr')
    expect(metadata).toMatchObject({
      stdout: ' out\né\n\n',
      stderr: 'err\n',
      stdout_bytes: 9,
      stderr_bytes: 4,
      truncated: false,
    })
    expect(metadata.duration).toBeGreaterThan(0)
  })

  test('keeps head and tail of much, counts all of it', async () => {
    const { output, metadata } = await bash(
      sandbox,
      'echo first; yes | head -c 3000000; echo last; echo e >&2',
    )
    expect(output).toStartWith('first\ny\n')
    expect(output).toEndWith('... (output truncated)')
    expect(String(metadata.stdout)).toStartWith('first\ny\n')
    expect(String(metadata.stdout)).toEndWith('y\nlast\n')
    expect(String(metadata.stdout)).toContain('bytes dropped')
    expect(metadata).toMatchObject({
      stdout_bytes: 3_000_011,
      stderr: 'e\n',
      stderr_bytes: 2,
      truncated: true,
    })
  })

  test('gives what came until the timeout', async () => {
    const { metadata } = await bash(sandbox, 'echo out; echo err >&2; sleep 60', { timeout: 0.5 })
    expect(metadata).toMatchObject({ exit_code: -1, timeout: true, stdout: 'out\n', stderr: 'err\n' })
  })

  test('holds no words of what runs the command, not even of how it was killed', async () => {
    const { error, metadata } = await bash(sandbox, 'echo err >&2; kill -9 $$')
    expect([error, metadata.stdout, metadata.stderr]).toEqual(['Exit code: 137', '', 'err\n'])
  })

  test('is not held by a child that holds its output and prints on', async () => {
    const { output } = await bash(sandbox, '(while echo on; do sleep 0.01; done) & sleep 0.1; echo over')
    expect(output).toContain('over')
  })

  test('takes commands of any length', async () => {
    for (const length of [0, 65_530, 65_536, 900_000]) {
      const { output } = await bash(sandbox, `: ${'é'.repeat(length / 2)}\necho end`)
      expect(output).toBe('end')
    }
  })
})
