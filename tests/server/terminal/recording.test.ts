import { expect, test } from 'bun:test'
import * as v from 'valibot'
import { Recording } from '../../../src/server/terminal/recording.ts'

const size = { columns: 80, rows: 24 }
const noPicture = () => ''

function textOf(recording: Recording, maxBytes = 1e6): string {
  const part = recording.read(maxBytes)
  if (!part.ok) throw new Error(`the next line has ${part.nextBytes} bytes`)
  return part.text
}

const events = (text: string) =>
  v.parse(
    v.array(v.tuple([v.number(), v.string(), v.string()])),
    text
      .split('\n')
      .slice(0, -1)
      .filter((line) => line.startsWith('['))
      .map((line): unknown => JSON.parse(line)),
  )

test('a header, then events with the seconds since the start', () => {
  let now = 1_000
  const recording = new Recording(size, () => now)
  now = 1_250
  recording.output('a\r\n', size, noPicture)
  now = 3_000.1234
  recording.resized({ columns: 100, rows: 30 })
  const text = textOf(recording)
  const [header = ''] = text.split('\n')
  expect(JSON.parse(header)).toMatchObject({
    version: 2,
    width: 80,
    height: 24,
    env: { TERM: 'xterm-256color' },
  })
  expect(events(text)).toEqual([
    [0.25, 'o', 'a\r\n'],
    [2.000123, 'r', '100x30'],
  ])
})

test('each line is read once; the offset is where the next one begins', () => {
  const recording = new Recording(size)
  recording.output('one', size, noPicture)
  const first = textOf(recording)
  expect(textOf(recording)).toBe('')
  recording.output('two', size, noPicture)
  const part = recording.read(1e6)
  if (!part.ok) throw new Error('nothing was read')
  expect(events(part.text).map(([, , data]) => data)).toEqual(['two'])
  expect(part.offset).toBe(Buffer.byteLength(first + part.text))
  recording.rewind()
  expect(textOf(recording)).toBe(first + part.text)
})

test('no line is cut: what does not fit comes later, and one that never fits is told', () => {
  const recording = new Recording(size)
  for (const text of ['äöü', 'second', 'third']) recording.output(text, size, noPicture)
  const whole = textOf(recording)
  recording.rewind()
  const lines = whole.split('\n').slice(0, -1)
  const [header = '', first = ''] = lines
  const two = Buffer.byteLength(`${header}\n${first}\n`)
  expect(textOf(recording, two)).toBe(`${header}\n${first}\n`)
  expect(recording.read(5)).toEqual({ ok: false, nextBytes: Buffer.byteLength(`${lines[2]}\n`) })
  expect(textOf(recording)).toBe(`${lines.slice(2).join('\n')}\n`)
})

test('a long text becomes several events, with no character cut', () => {
  const recording = new Recording(size)
  const text = `${'x'.repeat(2_047)}😀${'\0'.repeat(4_000)}`
  recording.output(text, size, noPicture)
  const lines = events(textOf(recording)).map(([, , data]) => data)
  expect(lines.join('')).toBe(text)
  expect(lines.map((line) => [line.length, line.isWellFormed()])).toEqual([
    [2_047, true],
    [2_048, true],
    [1_954, true],
  ])
})

test('a full recording goes on with a picture of the screen, and tells what nobody had read', () => {
  const recording = new Recording(size, () => 0, 1_000)
  recording.output('read', size, noPicture)
  const read = textOf(recording)
  for (let n = 0; n < 20; n++)
    recording.output(`number ${n}`, { columns: 90, rows: 20 }, () => `PICTURE ${n}`)
  const part = recording.read(1e6)
  if (!part.ok) throw new Error('nothing was read')
  const [resize, picture, ...rest] = events(part.text).map(([, kind, data]) => [kind, data])
  expect(resize).toEqual(['r', '90x20'])
  const [, shown = ''] = picture ?? []
  const last = Number(shown.replace('PICTURE ', ''))
  expect(rest.map(([, data]) => data)).toEqual(
    Array.from({ length: 19 - last }, (_, index) => `number ${last + 1 + index}`),
  )
  expect(part.dropped).toBeGreaterThan(0)
  expect(part.offset).toBe(Buffer.byteLength(read) + part.dropped + Buffer.byteLength(part.text))

  recording.rewind()
  const anew = recording.read(1e6)
  if (!anew.ok) throw new Error('nothing was read')
  expect(anew.text).toBe(`${read.split('\n')[0]}\n${part.text}`)
  expect(anew.offset).toBe(part.offset)
})
