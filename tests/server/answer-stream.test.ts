import { expect, test } from 'bun:test'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { openLedger } from '../../src/server/ledger/ledger.ts'
import { AnswerStream } from '../../src/server/v2/answer-stream.ts'
import { Execution } from '../../src/server/v2/execution.ts'
import { the } from '../support/the.ts'
import { resultsOf } from './v2-support.ts'

test('results that nobody reads do not wait in memory: beyond 1 MiB they are read from the ledger in their turn', async () => {
  const place = mkdtempSync(join(tmpdir(), 'answer-test-'))
  try {
    const ledger = await openLedger(place, { isDurable: false })
    const output = 'x'.repeat(100_000)
    const call = {
      kind: 'runnable',
      executionId: null,
      timeoutS: 1,
      run: async () => ({ success: true, output, error: '', metadata: {} }),
    } as const
    const executions = Array.from({ length: 30 }, (_, at) => new Execution(`${at}`, new Uint8Array(32), null))
    const read: string[] = []
    const recorded = {
      read: (id: string, isReplay: boolean) => {
        read.push(id)
        return isReplay ? '' : ledger.resultOf(id)
      },
    }
    const submitted = executions.map((execution) => ({ kind: 'running', execution, live: false }) as const)
    const answer = new AnswerStream(submitted, recorded, false)
    for (const execution of executions) {
      ledger.claim({ executionId: execution.id, body: execution.body, timeoutS: 1 })
      await execution.run(call, ledger, Promise.resolve())
    }
    const results = await resultsOf(new Response(await answer.body()))
    expect(results.map(({ execution_id }) => execution_id)).toEqual(executions.map(({ id }) => id))
    expect(results.every((result) => result.output === output)).toBe(true)
    expect(read.length).toBeGreaterThanOrEqual(20)
    await ledger.close()
  } finally {
    rmSync(place, { recursive: true })
  }
})

test('a reader who takes all at once leaves the event loop its turns', async () => {
  const recorded = { read: () => 'x'.repeat(100_000) }
  const submitted = Array.from({ length: 40 }, (_, at) => {
    return { kind: 'recorded', executionId: `${at}` } as const
  })
  const body = await new AnswerStream(submitted, recorded, false).body()
  const reader = the(new Response(body).body).getReader()
  let parts = 0
  let most = 0
  let isReading = true
  const turn = () => {
    most = Math.max(most, parts)
    parts = 0
    if (isReading) setImmediate(turn)
  }
  turn()
  for (let next = await reader.read(); !next.done; next = await reader.read()) parts += 1
  isReading = false
  turn()
  expect(most).toBeLessThanOrEqual(8)
})

test('what is all there is told whole, as text; what is more than a part, or not there yet, is a stream', async () => {
  const recorded = { read: () => 'x'.repeat(40_000) }
  const bodyOf = async (count: number, running: readonly Execution[] = []) => {
    const known = Array.from({ length: count }, (_, at) => {
      return { kind: 'recorded', executionId: `${at}` } as const
    })
    const runs = running.map((execution) => ({ kind: 'running', execution, live: false }) as const)
    return new AnswerStream([...known, ...runs], recorded, false).body()
  }
  expect(await bodyOf(0)).toBe('{"done":true,"count":0}\n')
  expect(await bodyOf(1)).toBeString()
  expect(await bodyOf(3)).toBeInstanceOf(ReadableStream)
  expect(await bodyOf(1, [new Execution('runs', new Uint8Array(32), null)])).toBeInstanceOf(ReadableStream)
})

test('a reader who has gone before there is anything to tell is not told that it is complete', async () => {
  const execution = new Execution('runs', new Uint8Array(32), null)
  const answer = new AnswerStream([{ kind: 'running', execution, live: false }], { read: () => '' }, false)
  const body = answer.body()
  answer.leave()
  expect(await body).toBe('')
})
