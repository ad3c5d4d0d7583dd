import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readlinkSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { SandboxOptions } from '../../src/server/options.ts'
import type { Isolation } from '../../src/server/sandbox/isolation.ts'
import { prepareIsolation } from '../../src/server/sandbox/prepare-isolation.ts'
import { ReadyShells } from '../../src/server/sandbox/ready-shells.ts'
import { runCommand } from '../../src/server/sandbox/run-command.ts'
import { createSandbox, type SandboxInternals } from '../../src/server/sandbox.ts'
import {
  bash,
  eventually,
  execute,
  hasBubblewrap,
  insideOf,
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
      for (const pid of insideOf(workspace)) kill(-Number(pid))
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

describe.skipIf(!hasBubblewrap)('sandboxes that wait', () => {
  const dir = join(tmpdir(), `ready-test-${crypto.randomUUID()}`)
  const broken = join(dir, 'broken')
  const bwrap = join(dir, 'bwrap')
  let isolation: Isolation
  const places = [0, 1, 2].map((index) => ({ workspace: join(dir, `slot_${index}`), owner: null }))
  const nowhere = { workspace: '', owner: null }
  const hasHolder = (slot: string) =>
    processesWith(`--bind\0${dir}\0/tmp\0`).some((pid) => processesWith(`\0${slot}\0`).includes(pid))
  const MiB = 2 ** 20
  beforeAll(async () => {
    mkdirSync(dir)
    for (const { workspace } of places) await Bun.$`mkdir ${workspace}`
    writeFileSync(
      bwrap,
      `#!/bin/sh\nif [ -e ${broken} ]; then echo "bwrap: out of luck" >&2; exit 1; fi\nexec bwrap "$@"\n`,
    )
    chmodSync(bwrap, 0o755)
    isolation = await prepareIsolation({
      kind: 'bubblewrap',
      run: crypto.randomUUID(),
      systemDir: join(dir),
      limits: { tmpBytes: MiB, processes: 64, memoryBytes: 4096 * MiB, fileBytes: MiB, openFiles: 64 },
      network: false,
      bwrapPath: bwrap,
      owner: null,
      hiddenDataDir: null,
    })
  })
  afterAll(() => rmSync(dir, { recursive: true }))

  const run = (
    shells: ReadyShells,
    place = places[0] ?? { workspace: '', owner: null },
    command = 'echo ran',
  ) => {
    const request = { command, timeoutMs: 20_000, network: false }
    return runCommand(shells, place, request, { stop: new AbortController().signal })
  }

  test('are never more than their bound, and the slots without one are served all the same', async () => {
    const shells = new ReadyShells(isolation, { maxWaiting: 2, idleMs: 10_000 })
    for (const place of places) shells.warm(place)
    expect(shells.health.waiting).toBe(2)
    const outcomes = await Promise.all(places.map((place) => run(shells, place)))
    expect(outcomes.map(({ stdout }) => stdout.head)).toEqual(['ran\n', 'ran\n', 'ran\n'])
    await shells.close()
    expect(shells.health.waiting).toBe(0)
  })

  test('are not made while a reset is under way, which makes the next one itself', async () => {
    const shells = new ReadyShells(isolation, { maxWaiting: 8, idleMs: 10_000 })
    const [place = nowhere] = places
    await run(shells, place)
    shells.discard(place)
    // What the server says after a call comes later than the reset that follows it at once.
    shells.used(place)
    expect(shells.health.waiting).toBe(0)
    shells.warm(place)
    expect(shells.health.waiting).toBe(1)
    await shells.close()
  })

  test('do not wait for ever', async () => {
    const shells = new ReadyShells(isolation, { maxWaiting: 8, idleMs: 50 })
    const [place = { workspace: '', owner: null }] = places
    shells.warm(place)
    expect(shells.health.waiting).toBe(1)
    expect(await eventually(() => shells.health.waiting === 0 && !waitingFor(place.workspace))).toBe(true)
    expect(await eventually(() => !hasHolder('slot_0'))).toBe(true)
    expect((await run(shells)).stdout.head).toBe('ran\n')
    await shells.close()
  })

  test('leave no holder to a slot that has no place among them', async () => {
    const shells = new ReadyShells(isolation, { maxWaiting: 1, idleMs: 10_000 })
    const [first = nowhere, second = nowhere] = places
    shells.warm(first)
    expect(await eventually(() => hasHolder('slot_0'))).toBe(true)
    await run(shells, first)
    shells.warm(second)
    shells.used(first)
    expect(await eventually(() => !hasHolder('slot_0') && hasHolder('slot_1'))).toBe(true)
    await shells.close()
    expect(hasHolder('slot_1')).toBe(false)
  })

  test('see what has the name of their directory now, also when the one above it was replaced', async () => {
    const shells = new ReadyShells(isolation)
    const above = join(dir, 'above')
    const place = { workspace: join(above, 'slot_9'), owner: null }
    mkdirSync(place.workspace, { recursive: true })
    shells.warm(place)
    expect(await eventually(() => waitingFor(place.workspace))).toBe(true)
    renameSync(above, `${above}-old`)
    mkdirSync(place.workspace, { recursive: true })
    writeFileSync(join(place.workspace, 'here'), '')
    expect((await run(shells, place, 'ls')).stdout.head).toBe('here\n')
    await shells.close()
  })

  test('that cannot be made are told as a failure of the sandbox, counted, and tried again', async () => {
    const shells = new ReadyShells(isolation)
    writeFileSync(broken, '')
    const { end, stdout } = await run(shells)
    expect([end, stdout.bytes]).toEqual([{ kind: 'not-started', reason: 'bwrap: out of luck' }, 0])
    for (const place of places) shells.warm(place)
    expect(await eventually(() => shells.health.failures >= 4)).toBe(true)
    expect(shells.health).toMatchObject({ reason: 'bwrap: out of luck', waiting: 0 })
    rmSync(broken)
    // By itself, after a pause.
    expect(await eventually(() => shells.health.failures === 0 && shells.health.waiting > 0)).toBe(true)
    expect((await run(shells)).end).toEqual({ kind: 'exited', exitCode: 0 })
    await shells.close()
  })

  test.skipIf(process.geteuid?.() !== 0)(
    'have no capability, also when root makes them as itself',
    async () => {
      const shells = new ReadyShells(isolation)
      const command = 'grep -E "Cap(Inh|Prm|Eff|Bnd|Amb)" /proc/self/status | cut -f2 | sort -u'
      expect((await run(shells, places[0], command)).stdout.head).toBe('0000000000000000\n')
      await shells.close()
    },
  )

  test('that cannot be made are not tried again before their pause is over, whatever is called', async () => {
    const shells = new ReadyShells(isolation)
    const [place = { workspace: '', owner: null }] = places
    writeFileSync(broken, '')
    shells.warm(place)
    // The next pause is of two seconds.
    expect(await eventually(() => shells.health.failures === 4)).toBe(true)
    await run(shells)
    shells.used(place)
    await Bun.sleep(100)
    expect(shells.health.failures).toBe(5)
    rmSync(broken)
    await shells.close()
  })

  test('are told as broken, not as a result, when they are killed from outside while the command runs', async () => {
    const shells = new ReadyShells(isolation)
    const [place = { workspace: '', owner: null }] = places
    const marker = `marker-${crypto.randomUUID()}`
    // Many that hold nothing of the call's: the end of its output does not tell theirs.
    const command = `export M=${marker}; for i in $(seq 50); do setsid sleep 60 > /dev/null 2>&1 & done; echo before; sleep 60`
    const request = { command, timeoutMs: 20_000, network: false }
    const running = runCommand(shells, place, request, { stop: new AbortController().signal })
    expect(await eventually(() => processesWith(marker).length > 50)).toBe(true)
    for (const pid of processesWith(`--bind\0${place.workspace}\0`)) kill(Number(pid))
    expect(await running).toMatchObject({ end: { kind: 'broken' }, stdout: { head: 'before\n' } })
    expect(processesWith(marker)).toEqual([])
    await shells.close()
  })

  test('end with their command when it is cancelled, with the output so far', async () => {
    const shells = new ReadyShells(isolation)
    const [place = { workspace: '', owner: null }] = places
    const marker = `marker-${crypto.randomUUID()}`
    const cancel = new AbortController()
    const request = {
      command: `export M=${marker}; setsid sleep 60 & echo before; sleep 60`,
      timeoutMs: 20_000,
      network: false,
    }
    const signals = { stop: new AbortController().signal, cancel: cancel.signal }
    const running = runCommand(shells, place, request, signals)
    expect(await eventually(() => processesWith(marker).length >= 2)).toBe(true)
    cancel.abort()
    expect(await running).toMatchObject({ end: { kind: 'cancelled' }, stdout: { head: 'before\n' } })
    expect(processesWith(marker)).toEqual([])
    await shells.close()
  })
})

function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL')
  } catch {
    // It had gone.
  }
}
