import { describe, expect, test } from 'bun:test'
import { neverConnected } from '../../src/retrying/never-connected.ts'
import { pauseMs, retryAfterMs } from '../../src/retrying/pauses.ts'
import { type FailedExchange, verdictOn, verdictOnRead } from '../../src/retrying/verdict.ts'

const options = { attempts: 3, delayMs: 1_000, maxDelayMs: 10_000 }

describe('pauseMs', () => {
  test('grows with each failed attempt, ±25 %', () => {
    expect(pauseMs(1, options, () => 0)).toBe(750)
    expect(pauseMs(1, options, () => 1)).toBe(1_250)
    expect(pauseMs(4, options, () => 0.5)).toBe(4_000)
  })

  test('is never above maxDelayMs', () => {
    expect(pauseMs(100, options, () => 1)).toBe(10_000)
  })
})

describe('retryAfterMs', () => {
  test('reads seconds and dates', () => {
    expect(retryAfterMs('2', 0)).toBe(2_000)
    expect(retryAfterMs('Thu, 01 Jan 1970 00:01:00 GMT', 10_000)).toBe(50_000)
    expect(retryAfterMs('Thu, 01 Jan 1970 00:00:01 GMT', 10_000)).toBe(0)
  })

  test('says nothing of what it cannot read', () => {
    expect(retryAfterMs(null, 0)).toBeUndefined()
    expect(retryAfterMs('soon', 0)).toBeUndefined()
  })
})

describe('neverConnected', () => {
  const coded = (code: string) => Object.assign(new Error('x'), { code })

  test.each(['ConnectionRefused', 'ECONNREFUSED', 'ENOTFOUND'])('%s proves that nothing was sent', (code) => {
    expect(neverConnected(coded(code))).toBe(true)
    expect(neverConnected(new TypeError('fetch failed', { cause: coded(code) }))).toBe(true)
  })

  test.each(['ECONNRESET', 'EPIPE', 'UND_ERR_SOCKET', 'ConnectionClosed'])('%s proves nothing', (code) => {
    expect(neverConnected(coded(code))).toBe(false)
  })

  test('reads the words of Deno', () => {
    const sentence =
      'error sending request for url (http://127.0.0.1:9/): client error (Connect): tcp connect error: Connection refused (os error 111)'
    expect(neverConnected(new TypeError('fetch failed', { cause: new Error(sentence) }))).toBe(true)
    expect(neverConnected(new TypeError('error sending request: connection reset by peer'))).toBe(false)
  })

  test('an attempt at several addresses proves it when all of them do', () => {
    const both = new AggregateError([coded('ECONNREFUSED'), coded('ECONNREFUSED')])
    const mixed = new AggregateError([coded('ECONNREFUSED'), coded('ECONNRESET')])
    expect([neverConnected(both), neverConnected(mixed), neverConnected('ECONNREFUSED')]).toEqual([
      true,
      false,
      false,
    ])
  })
})

describe('verdictOn (promise 5: sent again only on proof that it did not run)', () => {
  const http = (status: number, message = 'no', retryAfter?: number): FailedExchange => ({
    kind: 'http-error',
    status,
    message,
    body: undefined,
    ...(retryAfter === undefined ? {} : { retryAfterMs: retryAfter }),
  })
  const decision = (exchange: FailedExchange) => {
    const verdict = verdictOn(exchange)
    return `${verdict.kind} ${verdict.failure.outcome} ${verdict.failure.code}`
  }

  test.each([
    [{ kind: 'not-sent', message: 'refused' } as const, 'again not-run unreachable'],
    [{ kind: 'broken', message: 'reset' } as const, 'settle unknown unreachable'],
    [{ kind: 'bad-response', status: 200, message: 'cut' } as const, 'settle unknown bad-response'],
    [{ kind: 'too-large', status: 200, message: 'big' } as const, 'settle unknown too-large'],
    [http(400), 'settle not-run http-error'],
    [http(404), 'settle not-run http-error'],
    [http(429), 'again not-run http-error'],
    [http(408), 'again not-run http-error'],
    [http(409, 'busy', 500), 'again not-run http-error'],
    [http(413), 'too-large not-run too-large'],
    [http(500, 'Request Entity Too Large'), 'too-large not-run too-large'],
    [http(500), 'settle unknown http-error'],
    [http(502), 'settle unknown http-error'],
    [http(503, 'busy', 500), 'settle unknown http-error'],
    [http(503, 'The server stops', 2_000), 'again not-run http-error'],
    [http(302), 'settle unknown http-error'],
  ])('%p → %s', (exchange, expected) => {
    expect(decision(exchange)).toBe(expected)
  })

  test('passes on the pause that a server asks for', () => {
    expect(verdictOn(http(429, 'busy', 500))).toMatchObject({ pauseMs: 500 })
  })
})

test('a read that was cut may be sent again; what was answered stays answered', () => {
  const cut = { kind: 'bad-response', status: 200, message: 'cut', isCut: true } as const
  expect(verdictOnRead({ kind: 'broken', message: 'reset' })).toMatchObject({ kind: 'again' })
  expect(verdictOnRead(cut)).toMatchObject({ kind: 'again' })
  expect(verdictOnRead({ kind: 'bad-response', status: 200, message: 'no JSON' })).toMatchObject({
    kind: 'settle',
  })
  expect(verdictOnRead({ kind: 'aborted' })).toMatchObject({ kind: 'settle' })
  const error = { kind: 'http-error', status: 500, message: 'no', body: undefined } as const
  expect(verdictOnRead(error)).toEqual(verdictOn(error))
})
