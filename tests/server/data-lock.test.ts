import { afterEach, beforeEach, describe, expect, test } from 'bun:test'
import {
  existsSync,
  mkdtempSync,
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
import { createSandbox } from '../../src/server/sandbox.ts'

let dataDir: string
beforeEach(() => {
  dataDir = mkdtempSync(join(tmpdir(), 'lock-test-'))
})
afterEach(() => rmSync(dataDir, { recursive: true, force: true }))

function refusal(dir = dataDir): string {
  try {
    lockDataDir(dir).release()
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
    lockDataDir(${JSON.stringify(dataDir)})
    // What it spawned, and what outlives it, must not hold the lock.
    const child = Bun.spawn(['sleep', '60'], { detached: true, stdio: ['ignore', 'ignore', 'ignore'] })
    // It is told of before it has closed what is not its own.
    await Bun.sleep(100)
    console.log(child.pid)
    setInterval(() => {}, 1000)`
  const child = Bun.spawn([process.execPath, '-e', script], { stdout: 'pipe', stderr: 'ignore' })
  const { value } = await child.stdout.getReader().read()
  return { child, orphan: Number(new TextDecoder().decode(value)) }
}

test('a second holder is refused, and told who has which directory', () => {
  const first = lockDataDir(dataDir)
  expect(refusal()).toContain(`Cannot use the data directory ${dataDir}: `)
  expect(refusal()).toContain(`process id ${process.pid}`)
  first.release()
  first.release()
  expect(readdirSync(dataDir)).toEqual([])
  expect(refusal()).toBe('none')
})

test('kill -9 unlocks, and the next holder knows of the one before', async () => {
  const { child, orphan } = await holdElsewhere()
  using cleanUp = new DisposableStack()
  cleanUp.defer(() => {
    child.kill('SIGKILL')
    process.kill(orphan, 'SIGKILL')
  })
  expect(refusal()).toContain(`process id ${child.pid}`)
  child.kill('SIGKILL')
  await child.exited
  const next = lockDataDir(dataDir)
  expect(next.earlier?.pid).toBe(child.pid)
  expect(next.earlier?.run).not.toBe(next.holder.run)
  next.release()
  const third = lockDataDir(dataDir)
  expect(third.earlier).toBe(null)
  third.release()
})

describe('a file that is not a lock of ours', () => {
  test('says nothing of an earlier holder', () => {
    writeFileSync(join(dataDir, lockName), '{"pid": 1, "run": "x"}')
    const lock = lockDataDir(dataDir)
    expect(lock.earlier).toBe(null)
    lock.release()
  })

  test('is not followed when it is a symlink', () => {
    const target = join(dataDir, 'target')
    writeFileSync(target, 'kept')
    symlinkSync(target, join(dataDir, lockName))
    expect(refusal()).toContain(dataDir)
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
