import { afterAll, describe, expect, test } from 'bun:test'
import { formatHealth } from '../../src/cli/health.ts'
import { anyIsolation, cli, Place, startServe } from './support.ts'

const place = new Place()
afterAll(() => place[Symbol.dispose]())

describe('health', () => {
  test('is a line for each server', () => {
    const ok = { container: 'http://a:1', ok: true, status: 'ok', slots: 16, available: 4, executing: 12 }
    const lost = { ok: false, status: 'unreachable', slots: null, available: null, executing: null }
    expect(formatHealth([ok, { ...lost, container: 'http://long.name:1' }])).toBe(
      `container           status       slots  available  executing
http://a:1          ok              16          4         12
http://long.name:1  unreachable  –      –          –`,
    )
  })

  test('ends with 0 when all are ok and with 1 otherwise', async () => {
    const { child, url } = await startServe(['--slots', '3', ...anyIsolation], { cwd: place.path })
    const all = await cli(['health', url, '--json'], { cwd: place.path })
    expect(JSON.parse(all.stdout)).toEqual([
      { container: url, ok: true, status: 'ok', slots: 3, available: 3, executing: 0 },
    ])
    expect(all.exitCode).toBe(0)
    const some = await cli(['health', url, '127.0.0.1:1'], { cwd: place.path })
    expect(some.stdout.split('\n')).toHaveLength(4)
    expect(some.stdout).toContain('unreachable')
    expect(some.stderr).toStartWith('http://127.0.0.1:1: GET /health was not answered: ECONNREFUSED')
    expect(some.exitCode).toBe(1)
    child.kill('SIGTERM')
    expect(await child.exited).toBe(0)
    expect(place.leftovers).toEqual([])
  })

  test('is not ok for something else that answers', async () => {
    using server = Bun.serve({ port: 0, fetch: () => Response.json({ hello: 'world' }) })
    const { exitCode, stdout } = await cli(['health', `127.0.0.1:${server.port}`], { cwd: place.path })
    expect(stdout).toContain('unknown')
    expect(exitCode).toBe(1)
  })
})
