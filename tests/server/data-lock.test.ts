import { afterEach, beforeEach, describe, expect, test } from 'bun:test'
import {
  closeSync,
  existsSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { isSandboxError } from '../../src/errors.ts'
import { lockDataDir, lockName } from '../../src/server/data-lock.ts'
import { native } from '../../src/server/native.ts'
import { createSandbox } from '../../src/server/sandbox.ts'

let dataDir: string
beforeEach(() => {
  dataDir = mkdtempSync(join(tmpdir(), 'lock-test-'))
})
afterEach(() => rmSync(dataDir, { recursive: true, force: true }))

async function refusal(dir = dataDir): Promise<string> {
  try {
    ;(await lockDataDir(dir)).release()
  } catch (thrown) {
    expect(isSandboxError(thrown) && thrown.code).toBe('server')
    return String(thrown)
  }
  return 'none'
}

/** A process that holds the lock until it is killed. */
async function holdElsewhere() {
  const module = join(import.meta.dir, '../../src/server/data-lock.ts')
  const script = `
    const { lockDataDir } = await import(${JSON.stringify(module)})
    await lockDataDir(${JSON.stringify(dataDir)})
    // What it spawned, and what outlives it, must not hold the lock.
    const child = Bun.spawn(['sleep', '60'], { detached: true, stdio: ['ignore', 'ignore', 'ignore'] })
    console.log(child.pid)
    setInterval(() => {}, 1000)`
  const child = Bun.spawn([process.execPath, '-e', script], { stdout: 'pipe', stderr: 'ignore' })
  const { value } = await child.stdout.getReader().read()
  return { child, orphan: Number(new TextDecoder().decode(value)) }
}

test('a second holder is refused, and told who has which directory', async () => {
  const first = await lockDataDir(dataDir)
  expect(await refusal()).toContain(`Cannot use the data directory ${dataDir}: `)
  expect(await refusal()).toContain(`process id ${process.pid}`)
  first.release()
  first.release()
  expect(readdirSync(dataDir)).toEqual([])
  expect(await refusal()).toBe('none')
})

test('kill -9 unlocks, and the next holder knows of the one before', async () => {
  const { child, orphan } = await holdElsewhere()
  using cleanUp = new DisposableStack()
  cleanUp.defer(() => {
    child.kill('SIGKILL')
    process.kill(orphan, 'SIGKILL')
  })
  expect(await refusal()).toContain(`process id ${child.pid}`)
  child.kill('SIGKILL')
  await child.exited
  const next = await lockDataDir(dataDir)
  expect(next.earlier?.pid).toBe(child.pid)
  expect(next.earlier?.run).not.toBe(next.holder.run)
  next.release()
  const third = await lockDataDir(dataDir)
  expect(third.earlier).toBe(null)
  third.release()
})

describe('held, but not by the one whose name is in it', () => {
  /** The lock as the child of a server holds it that was just being started when the server was killed. */
  function heldBy(pid: number) {
    const path = join(dataDir, lockName)
    writeFileSync(path, JSON.stringify({ pid, run: crypto.randomUUID() }))
    const fd = openSync(path, 'r+')
    expect(native()?.lock(fd)).toEqual({ ok: true, value: undefined })
    return { [Symbol.dispose]: () => closeSync(fd) }
  }

  async function deadPid(): Promise<number> {
    const child = Bun.spawn(['true'])
    await child.exited
    return child.pid
  }

  test('a dead server lets the next one in when its last child has let go', async () => {
    const pid = await deadPid()
    const held = heldBy(pid)
    let isIn = false
    const next = lockDataDir(dataDir).finally(() => {
      isIn = true
    })
    await Bun.sleep(20)
    expect(isIn).toBe(false)
    held[Symbol.dispose]()
    const lock = await next
    expect(lock.earlier?.pid).toBe(pid)
    lock.release()
  })

  test('and is named when that does not happen', async () => {
    const pid = await deadPid()
    using _held = heldBy(pid)
    expect(await refusal()).toContain(`process id ${pid}`)
  })

  test('one that seems to live is waited for a moment: it may have been killed, and not be gone', async () => {
    const held = heldBy(process.pid)
    const next = lockDataDir(dataDir)
    held[Symbol.dispose]()
    ;(await next).release()
  })
})

describe('a file that is not a lock of ours', () => {
  test('says nothing of an earlier holder', async () => {
    writeFileSync(join(dataDir, lockName), '{"pid": 1, "run": "x"}')
    const lock = await lockDataDir(dataDir)
    expect(lock.earlier).toBe(null)
    lock.release()
  })

  test('is not followed when it is a symlink', async () => {
    const target = join(dataDir, 'target')
    writeFileSync(target, 'kept')
    symlinkSync(target, join(dataDir, lockName))
    expect(await refusal()).toContain(dataDir)
    expect(readFileSync(target, 'utf8')).toBe('kept')
  })
})

test('the second server of a directory does not start, and harms nothing of the first', async () => {
  const options = { dataDir, slots: 1, isolation: 'none' } as const
  const first = await createSandbox(options)
  const before = readdirSync(dataDir)
  expect(String(await createSandbox(options).catch((thrown: unknown) => thrown))).toContain(dataDir)
  expect(readdirSync(dataDir)).toEqual(before)
  await first.stop()
  expect(existsSync(join(dataDir, lockName))).toBe(false)
  await (await createSandbox(options)).stop()
})
