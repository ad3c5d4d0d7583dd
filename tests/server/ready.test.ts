import { describe, expect, test } from 'bun:test'
import { chmodSync, mkdtempSync, readlinkSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { SandboxOptions } from '../../src/server/options.ts'
import { createSandbox, type SandboxInternals } from '../../src/server/sandbox.ts'
import {
  bash,
  eventually,
  execute,
  hasBubblewrap,
  insideOf,
  killIfThere,
  post,
  processesWith,
  slotWorkspace,
} from './support.ts'

async function open(options: SandboxOptions = {}, internals: SandboxInternals = {}) {
  const sandbox = await createSandbox({ slots: 1, ...options }, internals)
  return Object.assign(sandbox, { [Symbol.asyncDispose]: () => sandbox.stop() })
}

/** When the command's shell was made, in clock ticks since the machine started; and when the command asks. */
const ages = "cut -d' ' -f22 /proc/$$/stat; sh -c 'cut -d\" \" -f22 /proc/$$/stat'"

/** The slot's sandbox: the one that waits, when no call runs. */
const waitingFor = (workspace: string) => insideOf(workspace).length > 0

describe.skipIf(!hasBubblewrap)('the next sandbox of a slot', () => {
  test('is there before its call', async () => {
    await using sandbox = await open()
    const workspace = await slotWorkspace(sandbox)
    expect(await eventually(() => waitingFor(workspace))).toBe(true)
    await Bun.sleep(300)
    const [made = '0', asked = '0'] = (await bash(sandbox, ages)).output.split('\n')
    expect(Number(asked) - Number(made)).toBeGreaterThan(5)
  })

  test('serves one call: nothing of it is there for the next', async () => {
    await using sandbox = await open()
    await bash(sandbox, 'x=1; export y=2; cd /tmp; echo left > left; set -e; trap "echo trapped" EXIT')
    const { output } = await bash(sandbox, 'false; echo "$x$y"; pwd; ls /tmp; trap')
    expect(output).toBe('/workspace')
  })

  test('has every namespace to itself', async () => {
    await using sandbox = await open()
    const names = ['cgroup', 'ipc', 'mnt', 'net', 'pid', 'user', 'uts']
    const { output } = await bash(sandbox, `cd /proc/self/ns; readlink ${names.join(' ')}`)
    const own = names.map((name) => readlinkSync(`/proc/self/ns/${name}`))
    expect(output.split('\n')).toHaveLength(names.length)
    expect(output.split('\n').filter((name) => own.includes(name))).toEqual([])
  })

  test('is made once for a trajectory of a file, a call and a reset', async () => {
    const dir = mkdtempSync(join(tmpdir(), 'counting-'))
    const [bwrapPath, made] = [join(dir, 'counting'), join(dir, 'made')]
    // Here bubblewrap makes each: where no holder works, it is not asked to make one again.
    const refuse = 'case "$*" in *cap-add*) exit 1;; esac'
    writeFileSync(bwrapPath, `#!/bin/sh\necho >> ${made}\n${refuse}\nexec bwrap "$@"\n`)
    chmodSync(bwrapPath, 0o755)
    writeFileSync(made, '')
    // A server of root makes sandboxes as other users.
    chmodSync(dir, 0o777)
    chmodSync(made, 0o666)
    try {
      await using sandbox = await open({ bwrapPath })
      const ofSlot = `--bind\0${await slotWorkspace(sandbox)}\0`
      // Not `counting` any more, so it is counted.
      const isMade = () =>
        processesWith(ofSlot).some((pid) => processesWith('bwrap\0--unshare-user').includes(pid))
      const trajectory = async (pauseMs = 0) => {
        await execute(sandbox, 'write_file', { path: 'a', content: 'a' })
        if (pauseMs > 0) await Bun.sleep(pauseMs)
        await bash(sandbox, 'sleep 0.1; cat a')
        await post(sandbox, '/reset', { slot_id: 'slot_0' })
        expect(await eventually(isMade)).toBe(true)
        return statSync(made).size
      }
      // It is seen only after the first that its user resets the slot.
      await trajectory()
      const before = await trajectory()
      expect([await trajectory(), await trajectory(5), await trajectory()]).toEqual(
        [1, 2, 3].map((more) => before + more),
      )
    } finally {
      rmSync(dir, { recursive: true })
    }
  })

  test('sees the workspace of after a reset', async () => {
    await using sandbox = await open()
    await bash(sandbox, 'echo old > old')
    for (let round = 0; round < 3; round++) {
      await post(sandbox, '/reset', { slot_id: 'slot_0' })
      await execute(sandbox, 'write_file', { path: 'new', content: String(round) })
      expect((await bash(sandbox, 'ls; cat new; echo more > more')).output).toBe(`new\n${round}`)
    }
  })

  test('sees what has the name of the workspace now, also when it was replaced behind its back', async () => {
    await using sandbox = await open()
    const workspace = await slotWorkspace(sandbox)
    await Bun.sleep(100)
    const { uid, gid } = statSync(workspace)
    await Bun.$`mv ${workspace} ${workspace}-old && mkdir ${workspace} && chown ${uid}:${gid} ${workspace} && echo x > ${workspace}/here`
    expect((await bash(sandbox, 'ls')).output).toBe('here')
  })

  test('is made for the call when the one that waited has died', async () => {
    await using sandbox = await open()
    const workspace = await slotWorkspace(sandbox)
    for (let round = 0; round < 5; round++) {
      expect(await eventually(() => waitingFor(workspace))).toBe(true)
      // The whole group at once: a shell that outlives its monitor for a moment could take the command.
      for (const pid of insideOf(workspace)) killIfThere(-Number(pid))
      expect((await bash(sandbox, 'echo fine')).output).toBe('fine')
    }
  })

  test('is gone when the server has stopped', async () => {
    const sandbox = await open({ slots: 4 })
    const workspaces = await Promise.all([0, 1, 2, 3].map((index) => slotWorkspace(sandbox, index)))
    await sandbox.stop()
    expect(workspaces.filter(waitingFor)).toEqual([])
  })
})
