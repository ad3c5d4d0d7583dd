import { describe, expect, test } from 'bun:test'
import { SandboxExecutor } from '../../mod.ts'
import { startBaseServer } from './base-server.ts'

function post(url: string, body: unknown): Promise<Response> {
  return fetch(url, { method: 'POST', body: typeof body === 'string' ? body : JSON.stringify(body) })
}

describe('the scripted base server', () => {
  test('counts posts and executions', async () => {
    await using server = startBaseServer()
    const call = { slot_id: 'slot_0', tool: 'bash', execution_id: 'a' }
    expect(await (await post(`${server.url}/execute`, call)).json()).toMatchObject({ output: 'ran' })
    const batch = await post(`${server.url}/batch`, [call, { ...call, slot_id: 'slot_1', execution_id: 'b' }])
    expect(await batch.json()).toMatchObject([{ execution_id: 'a' }, { execution_id: 'b' }])
    expect(server.posts.map(({ route, calls }) => [route, calls.length])).toEqual([
      ['/execute', 1],
      ['/batch', 2],
    ])
    expect([...server.executions]).toEqual([
      ['a', 2],
      ['b', 1],
    ])
  })

  test('runs one call of a slot at a time, and answers a batch when the slowest has ended', async () => {
    const order: string[] = []
    const gate = Promise.withResolvers<void>()
    await using server = startBaseServer({
      run: async ({ execution_id }) => {
        order.push(`start ${execution_id}`)
        if (execution_id === 'slow') await gate.promise
        order.push(`end ${execution_id}`)
        return {}
      },
    })
    const answer = post(`${server.url}/batch`, [
      { slot_id: 'slot_0', execution_id: 'slow' },
      { slot_id: 'slot_1', execution_id: 'fast' },
      { slot_id: 'slot_0', execution_id: 'behind' },
    ])
    while (!order.includes('end fast')) await Bun.sleep(1)
    expect(order).not.toContain('start behind')
    gate.resolve()
    expect(await (await answer).json()).toHaveLength(3)
    expect(order.slice(-3)).toEqual(['end slow', 'start behind', 'end behind'])
  })

  test('refuses what a base server refuses', async () => {
    await using server = startBaseServer()
    const invalid = await post(`${server.url}/execute`, 'no json')
    expect([invalid.status, await invalid.text()]).toEqual([400, '{"success":false,"error":"Invalid JSON"}'])
    expect((await post(`${server.url}/execute`, '[1]')).status).toBe(500)
    const large = await post(`${server.url}/execute`, { slot_id: 'x'.repeat(1_048_577) })
    expect([large.status, await large.text()]).toEqual([
      500,
      '{"success":false,"error":"Request Entity Too Large"}',
    ])
    expect(server.executions.size).toBe(0)
  })

  test('says what the test wants it to say, before and after the calls ran', async () => {
    await using server = startBaseServer({
      refuse: ({ index }) => (index === 0 ? new Response('later', { status: 429 }) : undefined),
      respond: ({ index }) => (index === 1 ? new Response('{cut') : undefined),
    })
    await using executor = new SandboxExecutor({ retry: { delayMs: 0 } })
    const slot = executor.slots(server.url, 1)[0]
    const cut = await executor.execute(slot, 'bash', { command: 'x' })
    expect(cut).toMatchObject({ outcome: 'unknown', failure: { code: 'bad-response', attempts: 2 } })
    expect(server.executions.get(cut.executionId)).toBe(1)
    expect(await executor.execute(slot, 'bash', { command: 'x' })).toMatchObject({ outcome: 'exited' })
    expect(server.healthChecks).toBeGreaterThan(0)
  })
})
