import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { existsSync, mkdtempSync, readdirSync, rmSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import * as v from 'valibot'
import { SandboxError, SandboxUsageError } from '../../src/errors.ts'
import { startSandboxServer } from '../../src/server/mod.ts'
import { createSandbox } from '../../src/server/sandbox.ts'
import { hasBubblewrap } from './support.ts'

const ownTmp = mkdtempSync(join(tmpdir(), 'server-test-'))
const usualTmp = process.env.TMPDIR
beforeAll(() => {
  process.env.TMPDIR = ownTmp
})
afterAll(() => {
  if (usualTmp === undefined) delete process.env.TMPDIR
  else process.env.TMPDIR = usualTmp
  rmSync(ownTmp, { recursive: true })
})

async function thrownBy(start: () => Promise<unknown>): Promise<unknown> {
  try {
    await start()
  } catch (thrown) {
    return thrown
  }
  return undefined
}

/** Options as JavaScript can give them. */
function startWith(options: unknown): Promise<unknown> {
  return Reflect.apply(startSandboxServer, undefined, [options])
}

describe('misuse names the field', () => {
  test.each([
    [{ slot: 8 }, 'slot'],
    [{ token: 'x' }, 'token'],
    [{ bwrapPath: '/bin/true' }, 'bwrapPath'],
    [{ slots: 0 }, 'slots'],
    [{ slots: 1.5 }, 'slots'],
    [{ slots: Number.NaN }, 'slots'],
    [{ slots: '8' }, 'slots'],
    [{ port: 65_536 }, 'port'],
    [{ dataDir: '' }, 'dataDir'],
    [{ dataDir: 'a\0b' }, 'dataDir'],
    [{ isolation: 'docker' }, 'isolation'],
    [{ limits: { tmpBytes: -1 } }, 'limits.tmpBytes'],
    [{ limits: { memory: 1 } }, 'limits.memory'],
    [{ host: '0.0.0.0' }, 'host'],
    [{ host: '192.168.1.1' }, 'host'],
    [{ host: '127.0.0.1.example' }, 'host'],
    [{ host: '::' }, 'host'],
    [{ host: '' }, 'host'],
    [{ host: '127.0.0.1:80', token: 'a-token-long-enough' }, 'host'],
    [{ host: 7 }, 'host'],
    [{ network: true }, 'network'],
    [{ network: 'yes' }, 'network'],
    [{ token: '' }, 'token'],
    [{ token: 'fifteen-letters' }, 'token'],
    [{ token: 'with a space in it' }, 'token'],
    [{ token: 'with-a-line-end-\n' }, 'token'],
    [{ token: 'wíth-an-accent-in-it' }, 'token'],
    [{ token: 'x'.repeat(513) }, 'token'],
    [{ token: 1234567890123456 }, 'token'],
    [{ limits: { processes: 0 } }, 'limits.processes'],
    [{ limits: { memoryBytes: 1_000 } }, 'limits.memoryBytes'],
    [{ limits: { fileBytes: Number.POSITIVE_INFINITY } }, 'limits.fileBytes'],
    [{ limits: { openFiles: '1024' } }, 'limits.openFiles'],
    [null, 'options'],
    ['options', 'options'],
  ])('%j', async (options, field) => {
    const thrown = await thrownBy(() => startWith(options))
    expect(thrown).toBeInstanceOf(SandboxUsageError)
    expect(thrown).toHaveProperty('field', field)
    expect(String(thrown)).toContain(field)
  })

  test('and an address that is not loopback, or a network, is told why', async () => {
    for (const options of [{ host: '0.0.0.0' }, { network: true }]) {
      expect(String(await thrownBy(() => startSandboxServer(options)))).toContain('needs a token')
    }
  })

  test('and a token that is refused is not repeated', async () => {
    for (const token of ['hunter2', 'hunter2 hunter2 hunter2']) {
      const thrown = await thrownBy(() => startSandboxServer({ token }))
      expect(String(thrown)).toContain('token must be')
      expect(`${thrown} ${JSON.stringify(thrown)}`).not.toContain('hunter2')
    }
  })
})

describe('without a bubblewrap that works', () => {
  test.each(['/bin/false', '/bin/true', '/nonexistent/bwrap'])(
    '%s: no sandbox, no server',
    async (bwrapPath) => {
      const before = leftovers()
      const thrown = await thrownBy(() => createSandbox({ bwrapPath }))
      expect(codeOf(thrown)).toBe('isolation')
      expect(String(thrown)).toContain('apt-get install bubblewrap')
      expect(String(thrown)).toContain('isolation: "none"')
      expect(leftovers()).toEqual(before)
    },
  )

  test('a server that was asked for no isolation starts', async () => {
    const sandbox = await createSandbox({ bwrapPath: '/bin/false', isolation: 'none' })
    await sandbox.stop()
  })
})

test('a port that is taken is named', async () => {
  const before = leftovers()
  await using first = await startSandboxServer({ slots: 1, isolation: 'none' })
  const port = Number(new URL(first.url).port)
  const thrown = await thrownBy(() => startSandboxServer({ slots: 1, isolation: 'none', port }))
  expect(codeOf(thrown)).toBe('server')
  expect(String(thrown)).toContain(`127.0.0.1:${port}`)
  await first.stop()
  expect(leftovers()).toEqual(before)
})

test.skipIf(!hasBubblewrap)('serves on a port, and leaves no file and no port', async () => {
  const before = leftovers()
  const server = await startSandboxServer({ slots: 3 })
  expect(server.url).toBe(`http://${server.addr}`)
  const health = v.parse(
    v.object({ slots: v.number(), data_dir: v.string() }),
    await (await fetch(`${server.url}/health`)).json(),
  )
  expect(health.slots).toBe(3)
  expect(existsSync(join(health.data_dir, 'slot_2'))).toBe(true)
  await Promise.all([server.stop(), server.stop()])
  expect(existsSync(health.data_dir)).toBe(false)
  expect(leftovers()).toEqual(before)
  expect(await fetch(`${server.url}/health`).catch(() => 'refused')).toBe('refused')
})

test('a running call is answered when the server stops', async () => {
  const { promise: started, resolve } = Promise.withResolvers<void>()
  const server = await startSandboxServer({ slots: 1, isolation: 'none' })
  const answer = fetch(`${server.url}/execute`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ slot_id: 'slot_0', tool: 'bash', args: { command: 'sleep 60' } }),
  })
  const poll = setInterval(async () => {
    const slots = await (await fetch(`${server.url}/slots`)).text()
    if (slots.includes('executing')) resolve()
  }, 20)
  await started
  clearInterval(poll)
  await server.stop()
  expect(await (await answer).json()).toMatchObject({
    success: false,
    error: 'Command was killed: the server stops',
  })
})

describe('a data directory', () => {
  const directory = () => mkdtempSync(join(tmpdir(), 'server-test-'))

  test('keeps its workspaces and its ledger, and nothing else of the server', async () => {
    const dataDir = directory()
    try {
      const body = { slot_id: 'slot_0', tool: 'write_file', args: { path: 'kept', content: 'x' } }
      const request = (path: string, json: object) =>
        new Request(`http://127.0.0.1${path}`, { method: 'POST', body: Buffer.from(JSON.stringify(json)) })
      const first = await createSandbox({ dataDir, slots: 1, isolation: 'none' })
      await first.handler(request('/execute', body))
      await first.stop()
      expect(readdirSync(dataDir).sort()).toEqual(['.sandbox-slots-ledger', 'slot_0'])
      const second = await createSandbox({ dataDir, slots: 1, isolation: 'none' })
      const read = await second.handler(request('/artifacts/read', { slot_id: 'slot_0', path: 'kept' }))
      expect(await read.json()).toMatchObject({ content: 'x' })
      await second.stop()
    } finally {
      rmSync(dataDir, { recursive: true })
    }
  })

  test('whose slot is a symlink is refused', async () => {
    const dataDir = directory()
    try {
      symlinkSync('/etc', join(dataDir, 'slot_0'))
      const thrown = await thrownBy(() => createSandbox({ dataDir, isolation: 'none' }))
      expect(codeOf(thrown)).toBe('server')
      expect(String(thrown)).toContain('slot_0')
    } finally {
      rmSync(dataDir, { recursive: true })
    }
  })

  test('that cannot be made is named', async () => {
    const thrown = await thrownBy(() => createSandbox({ dataDir: '/dev/null/x', isolation: 'none' }))
    expect(codeOf(thrown)).toBe('server')
    expect(String(thrown)).toContain('/dev/null/x')
  })
})

/** What is in the directory for temporary files, which is this test's own. */
function leftovers(): string[] {
  return readdirSync(ownTmp)
}

function codeOf(thrown: unknown): string | undefined {
  return thrown instanceof SandboxError ? thrown.code : undefined
}

test('an answer that is cut, since its file became shorter, writes nothing to stderr', async () => {
  const program = `
    const { startSandboxServer } = await import('${join(import.meta.dir, '../../src/server/mod.ts')}')
    const { truncateSync, writeFileSync } = await import('node:fs')
    const server = await startSandboxServer({ slots: 1, isolation: 'none' })
    const { slots } = await (await fetch(server.url + '/slots')).json()
    const path = slots[0].workspace_dir + '/big'
    writeFileSync(path, Buffer.alloc(50_000_000))
    const { body } = await fetch(server.url + '/files/slot_0/big')
    const reader = body.getReader()
    await reader.read()
    truncateSync(path, 1)
    const rest = async () => { while (!(await reader.read()).done); }
    console.log(await rest().then(() => 'whole', () => 'cut'))
    await server.stop()`
  const io = { stdout: 'pipe', stderr: 'pipe', timeout: 20_000, killSignal: 'SIGKILL' } as const
  const child = Bun.spawn([process.execPath, '-e', program], io)
  const said = await Promise.all([new Response(child.stdout).text(), new Response(child.stderr).text()])
  expect(said).toEqual(['cut\n', ''])
})

test.each(['its temporary data directory', 'the one that was given'])(
  'a server stops when somebody has removed %s',
  async (which) => {
    const given = mkdtempSync(join(tmpdir(), 'given-'))
    await using server = await startSandboxServer({
      slots: 1,
      isolation: 'none',
      ...(which === 'the one that was given' ? { dataDir: given } : {}),
    })
    const { data_dir } = v.parse(
      v.object({ data_dir: v.string() }),
      await (await fetch(`${server.url}/health`)).json(),
    )
    for (const path of [data_dir, given]) rmSync(path, { recursive: true, force: true })
    await server.stop()
    expect(fetch(`${server.url}/health`)).rejects.toThrow()
    expect(existsSync(data_dir)).toBe(false)
  },
)
