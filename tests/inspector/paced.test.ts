/** How often the page's lists are drawn. */
import { describe, expect, test } from 'bun:test'
import { Paced } from '../../src/inspector/page/paced.ts'

describe('a list', () => {
  function paced() {
    const list = { drawn: 0 }
    const pace = new Paced({ live: 400, replay: 0, paused: 0 }, () => {
      list.drawn += 1
    })
    return { list, pace }
  }

  test('is drawn at once, then not before its time, and tells when that is', () => {
    const { list, pace } = paced()
    expect(pace.render('live', 0, false)).toBe(Number.POSITIVE_INFINITY)
    expect(pace.render('live', 250, false)).toBe(400)
    expect(list.drawn).toBe(1)
    expect(pace.render('live', 400, false)).toBe(Number.POSITIVE_INFINITY)
    expect(list.drawn).toBe(2)
  })

  test('is drawn whenever somebody waits for it, or follows a replay', () => {
    const { list, pace } = paced()
    pace.render('live', 0, false)
    pace.render('live', 1, true)
    pace.render('replay', 2, false)
    expect(list.drawn).toBe(3)
  })

  test('waits longer while it is out of sight', () => {
    const { list, pace } = paced()
    pace.render('live', 0, false)
    pace.isSeen = false
    expect(pace.render('live', 999, false)).toBe(1_000)
    expect(pace.render('replay', 999, false)).toBe(1_000)
    expect(list.drawn).toBe(1)
    pace.render('live', 1_000, false)
    expect(list.drawn).toBe(2)
  })
})
