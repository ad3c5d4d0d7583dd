/** The sandboxes that wait: how many, how long, and what happens when they cannot be made or die. */
import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { chmodSync, mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { availableParallelism, tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Isolation } from '../../src/server/sandbox/isolation.ts'
import { prepareIsolation } from '../../src/server/sandbox/prepare-isolation.ts'
import { ReadyShells } from '../../src/server/sandbox/ready-shells.ts'
import { runCommand } from '../../src/server/sandbox/run-command.ts'
import { eventually, hasBubblewrap, insideOf, killIfThere, processesWith } from './support.ts'

describe.skipIf(!hasBubblewrap)('sandboxes that wait', () => {
  const dir = join(tmpdir(), `ready-test-${crypto.randomUUID()}`)
  const broken = join(dir, 'broken')
  const bwrap = join(dir, 'bwrap')
  let isolation: Isolation
  const places = [0, 1, 2].map((index) => ({ workspace: join(dir, `slot_${index}`), owner: null }))
  const nowhere = { workspace: '', owner: null }
  const isWaiting = ({ workspace }: { workspace: string }) => insideOf(workspace).length > 0
  /** The bubblewrap around the slot's holder. */
  const holderOf = (slot: string) => {
    const ofSlot = processesWith(`\0${slot}\0`)
    return processesWith(`--bind\0${dir}\0/tmp\0`).find((pid) => ofSlot.includes(pid))
  }
  const hasHolder = (slot: string) => holderOf(slot) !== undefined
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

  test('are made by a holder, where there is perl', () => {
    expect(isolation).toMatchObject({ hasHolders: Bun.which('perl') !== null })
  })

  test('are never more than their bound, and the slots without one are served all the same', async () => {
    const shells = new ReadyShells(isolation, { maxWaiting: 2, idleMs: 10_000 })
    for (const place of places) shells.warm(place)
    expect(shells.health.waiting).toBe(2)
    const outcomes = await Promise.all(places.map((place) => run(shells, place)))
    expect(outcomes.map(({ stdout }) => stdout.head)).toEqual(['ran\n', 'ran\n', 'ran\n'])
    await shells.close()
    expect(shells.health.waiting).toBe(0)
  })

  test('are made after the calls that begin now', async () => {
    const shells = new ReadyShells(isolation)
    const [place = nowhere, other = nowhere] = places
    const running = Array.from({ length: availableParallelism() }, () => run(shells, place))
    shells.warm(other)
    expect(shells.health.waiting).toBe(0)
    await Promise.all(running)
    expect(await eventually(() => shells.health.waiting === 1)).toBe(true)
    await shells.close()
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
    // It sees the workspace that goes.
    shells.discard(place)
    expect(shells.health.waiting).toBe(0)
    await shells.close()
  })

  test('do not wait for ever', async () => {
    const shells = new ReadyShells(isolation, { maxWaiting: 8, idleMs: 50 })
    const [place = { workspace: '', owner: null }] = places
    shells.warm(place)
    expect(shells.health.waiting).toBe(1)
    expect(await eventually(() => shells.health.waiting === 0 && !isWaiting(place))).toBe(true)
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

  test('are gone with their holders when they are closed, also when that takes a while', async () => {
    const shells = new ReadyShells(isolation)
    shells.warm(places[0] ?? nowhere)
    expect(await eventually(() => hasHolder('slot_0'))).toBe(true)
    process.kill(Number(holderOf('slot_0')), 'SIGSTOP')
    await shells.close()
    expect(hasHolder('slot_0')).toBe(false)
    shells.warm(places[0] ?? nowhere)
    expect(shells.health.waiting).toBe(0)
  })

  test('are gone when they are closed, also those that no holder made', async () => {
    const withoutHolders = isolation.kind === 'none' ? isolation : { ...isolation, hasHolders: false }
    const shells = new ReadyShells(withoutHolders)
    const [place = nowhere] = places
    const monitors = () => processesWith(`--bind\0${place.workspace}\0/workspace\0`)
    shells.warm(place)
    expect(await eventually(() => isWaiting(place))).toBe(true)
    process.kill(Math.min(...monitors().map(Number)), 'SIGSTOP')
    await shells.close()
    expect(monitors()).toEqual([])
  })

  test('see what has the name of their directory now, also when the one above it was replaced', async () => {
    const shells = new ReadyShells(isolation)
    const above = join(dir, 'above')
    const place = { workspace: join(above, 'slot_9'), owner: null }
    mkdirSync(place.workspace, { recursive: true })
    shells.warm(place)
    expect(await eventually(() => isWaiting(place))).toBe(true)
    renameSync(above, `${above}-old`)
    mkdirSync(place.workspace, { recursive: true })
    writeFileSync(join(place.workspace, 'here'), '')
    expect((await run(shells, place, 'ls')).stdout.head).toBe('here\n')
    // The next one has a holder of its own; that of the old directory is ended.
    shells.used(place)
    expect(await eventually(() => isWaiting(place))).toBe(true)
    await shells.close()
    expect(processesWith(`--bind\0${above}\0/tmp\0`)).toEqual([])
  })

  test('that cannot be made are told as a failure of the sandbox, counted, and tried again', async () => {
    const shells = new ReadyShells(isolation)
    writeFileSync(broken, '')
    const { end, stdout, stderr } = await run(shells)
    expect(end).toEqual({ kind: 'not-started', reason: 'bwrap: out of luck' })
    expect([stdout.bytes, stderr.bytes]).toEqual([0, 0])
    for (const place of places) shells.warm(place)
    expect(await eventually(() => shells.health.failures >= 4)).toBe(true)
    expect(shells.health).toMatchObject({ reason: 'bwrap: out of luck', waiting: 0 })
    rmSync(broken)
    // By itself, after a pause.
    expect(await eventually(() => shells.health.failures === 0 && shells.health.waiting > 0)).toBe(true)
    expect((await run(shells)).end).toEqual({ kind: 'exited', exitCode: 0 })
    await shells.close()
  })

  describe.skipIf(process.geteuid?.() !== 0)('that root makes as itself', () => {
    /** Once by the slot's holder, and once by bubblewrap. */
    const both = async (command: string) => {
      const outputs: string[] = []
      for (const maxWaiting of [1, 0]) {
        const shells = new ReadyShells(isolation, { maxWaiting, idleMs: 10_000 })
        const [place = nowhere] = places
        shells.warm(place)
        outputs.push((await run(shells, place, command)).stdout.head)
        await shells.close()
      }
      return outputs
    }

    test('have no capability', async () => {
      const command = 'grep -E "Cap(Inh|Prm|Eff|Bnd|Amb)" /proc/self/status | cut -f2 | sort -u'
      expect(await both(command)).toEqual(Array(2).fill('0000000000000000\n'))
    })

    test('can set nothing of the kernel, though that asks for no capability', async () => {
      const command =
        'find /proc -maxdepth 3 -writable -not -path "/proc/[0-9]*" -not -path "/proc/pressure/*" -not -path "/proc/*self/*"; cat /proc/sys/kernel/hostname'
      expect(await both(command)).toEqual(Array(2).fill('sandbox\n'))
    })
  })

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

  test('are not made beside a call that runs, whose holder would be ended with them', async () => {
    const shells = new ReadyShells(isolation, { maxWaiting: 8, idleMs: 100 })
    const [place = nowhere] = places
    writeFileSync(broken, '')
    await run(shells, place)
    shells.warm(place)
    expect(await eventually(() => shells.health.failures === 2)).toBe(true)
    rmSync(broken)
    // The pause after the failures is over in the middle of it.
    const { end } = await run(shells, place, 'sleep 0.5; echo ran')
    expect(end).toEqual({ kind: 'exited', exitCode: 0 })
    shells.used(place)
    expect(shells.health.waiting).toBe(1)
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
    for (const pid of processesWith(`--bind\0${place.workspace}\0`)) killIfThere(Number(pid))
    expect(await running).toMatchObject({ end: { kind: 'broken' }, stdout: { head: 'before\n' } })
    expect(processesWith(marker)).toEqual([])
    await shells.close()
  })

  test('are ended from within: what is around them lives to tell it', async () => {
    const shells = new ReadyShells(isolation, { maxWaiting: 0, idleMs: 10_000 })
    const { shell } = shells.take(places[0] ?? nowhere, false, 'true;')
    expect(await shell.ready).toBe(true)
    expect(await shell.kill()).toEqual({ exitCode: 137, signal: null })
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

  test('a killed command is told of when its sandbox has ended, however soon the kill is done', async () => {
    let hasEnded = false
    class Watched extends ReadyShells {
      override take(...args: Parameters<ReadyShells['take']>) {
        const taken = super.take(...args)
        void taken.shell.ended.then(() => {
          hasEnded = true
        })
        return taken
      }
    }
    const shells = new Watched(isolation)
    const [place = nowhere] = places
    const cancel = new AbortController()
    const request = { command: 'sleep 60', timeoutMs: 20_000, network: false }
    const signals = { stop: new AbortController().signal, cancel: cancel.signal }
    const running = runCommand(shells, place, request, signals)
    cancel.abort()
    expect((await running).end).toEqual({ kind: 'cancelled' })
    expect(hasEnded).toBe(true)
    await shells.close()
  })
})
