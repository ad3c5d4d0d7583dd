import { expect, test } from 'bun:test'
import { Feed } from '../../../src/server/terminal/feed.ts'

/** A screen that draws when it is told to. */
class Target {
  readonly drawn: string[] = []
  readonly holds: boolean[] = []
  #waiting: (() => void) | null = null

  draw(text: string): Promise<void> {
    this.drawn.push(text)
    return new Promise((resolve) => {
      this.#waiting = resolve
    })
  }

  hold(isHeld: boolean): void {
    this.holds.push(isHeld)
  }

  async drawAll(feed: Feed): Promise<void> {
    for (let pieces = 0; !feed.isDrawn && pieces < 1_000; pieces++) {
      this.#waiting?.()
      await Promise.resolve()
      await Promise.resolve()
    }
  }
}

const bytes = (text: string) => new TextEncoder().encode(text)

test('text comes in order, and a character that is cut comes whole', async () => {
  const target = new Target()
  const feed = new Feed(target)
  const whole = bytes('aä日😀z')
  for (const byte of whole) feed.push(Uint8Array.of(byte))
  await target.drawAll(feed)
  expect(target.drawn.join('')).toBe('aä日😀z')
  expect(target.drawn).toEqual(['a', 'ä', '日', '😀', 'z'])
})

test('bytes that are no UTF-8 become a sign for that', async () => {
  const target = new Target()
  const feed = new Feed(target)
  feed.push(Uint8Array.of(0x61, 0xff, 0x62))
  await target.drawAll(feed)
  expect(target.drawn.join('')).toBe('a\ufffdb')
})

test('one piece is drawn at a time', async () => {
  const target = new Target()
  const feed = new Feed(target)
  feed.push(bytes('x'.repeat(50_000)))
  feed.push(bytes('y'))
  expect(target.drawn.map((text) => text.length)).toEqual([16_384])
  await target.drawAll(feed)
  expect(target.drawn.map((text) => text.length)).toEqual([16_384, 16_384, 16_384, 848, 1])
})

test('a program that prints faster than is drawn is held, and goes on when most is drawn', async () => {
  const target = new Target()
  const feed = new Feed(target)
  feed.push(bytes('x'.repeat(65_536)))
  expect(target.holds).toEqual([])
  feed.push(bytes('x'))
  feed.push(bytes('x'))
  expect(target.holds).toEqual([true])
  await target.drawAll(feed)
  expect(target.holds).toEqual([true, false])
  expect(target.drawn.join('')).toHaveLength(65_538)
})

test('what is stopped draws nothing more', async () => {
  const target = new Target()
  const feed = new Feed(target)
  feed.push(bytes('x'.repeat(50_000)))
  feed.stop()
  feed.push(bytes('more'))
  await target.drawAll(feed)
  expect(target.drawn).toHaveLength(1)
  expect(feed.isDrawn).toBe(true)
})

test('no more than eight marks join one character, in one text or from text to text', async () => {
  const target = new Target()
  const feed = new Feed(target)
  const mark = '\u0301'
  for (const text of [`a${mark.repeat(5)}`, mark.repeat(9), `b${mark.repeat(20)}c${mark.repeat(2)}`, 'd']) {
    feed.push(bytes(text))
  }
  await target.drawAll(feed)
  expect(target.drawn.join('')).toBe(`a${mark.repeat(8)}b${mark.repeat(8)}c${mark.repeat(2)}d`)
})
