import { describe, expect, test } from 'bun:test'
import { chmodSync, chownSync, mkdirSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { SandboxOptions } from '../../src/server/options.ts'
import { closedProc } from '../../src/server/sandbox/bwrap-args.ts'
import { commandLine, holderLine } from '../../src/server/sandbox/command-line.ts'
import { firstIn } from '../../src/server/sandbox/owners.ts'
import { seccompFilter } from '../../src/server/sandbox/seccomp.ts'
import {
  baseUrl,
  bash,
  execute,
  hasBubblewrap,
  processesWith,
  slotWorkspace,
  useSandboxes,
} from './support.ts'

const openSandbox = useSandboxes()
const isRoot = process.geteuid?.() === 0

describe('the users of the slots', () => {
  const all = '         0          0 4294967295\n'

  test.each([
    ['are high numbers', all, all, 4_096, 600_000],
    ['are those that exist in a container', '0 100000 65536\n', '0 100000 65536\n', 8, 65_528],
    ['are among several ranges', '0 1000 1\n1 100000 65536\n', '0 1000 1\n1 100000 65536\n', 4, 65_533],
    ['exist as groups too', '0 0 65536\n', '0 0 2000\n', 10, 1_990],
    ['are not there when all are taken', '0 1000 1\n', '0 1000 1\n', 1, null],
  ])('%s', (_name, uids, gids, count, first) => {
    expect(firstIn(uids, gids, count)).toBe(first)
  })
})

describe('the command line of a sandbox', () => {
  const limits = { tmpBytes: 4_096, processes: 64, memoryBytes: 2 ** 30, fileBytes: 4_096, openFiles: 64 }
  const bubblewrap = {
    kind: 'bubblewrap',
    run: 'a-run',
    bwrapPath: '/usr/bin/bwrap',
    systemDirectories: [],
    etcDir: '/root/data/.sandbox-slots/system/etc',
    seccompFile: null,
    limits,
    hiddenDataDir: null,
    hasHolders: false,
  } as const
  const owner = { uid: 600_007, gid: 600_007 }
  const place = { workspace: '/root/data/slot_7', owner }

  test("is spawned as the slot's user", () => {
    const { argv, user } = commandLine(bubblewrap, place, false)
    expect([argv[0], user]).toEqual(['/usr/bin/bwrap', owner])
    expect(argv.join(' ')).toContain('--bind /root/data/slot_7 /workspace')
  })

  test('of a holder has its words and those of its program as arguments, as the same user', () => {
    const { argv, user } = holderLine(bubblewrap, place)
    const at = argv.indexOf('perl')
    expect(user).toEqual(owner)
    expect(argv.slice(at + 3, at + 6)).toEqual(['slot_7', '4096', closedProc.join(' ')])
    expect(argv[at + 6]).toStartWith('4:0 ')
    expect(argv[at + 7]).toContain('ulimit')
  })

  test('sees the data directory elsewhere when that user cannot reach it', () => {
    const { argv, user } = commandLine({ ...bubblewrap, hiddenDataDir: '/root/data' }, place, false)
    const line = argv.join(' ')
    expect(user).toBeNull()
    expect(argv.slice(0, 8)).toEqual([
      ...['unshare', '--mount', 'sh', '-c', 'mount --bind "$1" "$2" && shift 2 && exec "$@"', 'sh'],
      ...['/root/data', '/tmp'],
    ])
    expect(line).toContain(
      ' setpriv --reuid 600007 --regid 600007 --clear-groups /usr/bin/bwrap --unshare-user ',
    )
    expect(line).toContain('--bind /tmp/slot_7 /workspace')
    expect(line).toContain('--ro-bind /tmp/.sandbox-slots/system/etc /etc')
  })
})

test('the filter of system calls is a whole program, and there is none for a processor that is not known', () => {
  for (const processor of ['x64', 'arm64']) {
    const program = Buffer.from(seccompFilter(processor) ?? [])
    expect(program.length % 8).toBe(0)
    expect(program.readUInt32LE(program.length - 4)).toBe(0x7fff_0000)
    // No jump leads out of it.
    for (let at = 0; at < program.length; at += 8) {
      const farthest = at / 8 + 1 + Math.max(program.readUInt8(at + 2), program.readUInt8(at + 3))
      expect(farthest).toBeLessThanOrEqual(program.length / 8)
    }
  }
  expect(seccompFilter('riscv64')).toBeNull()
})

/** What the kernel does with a call: the filter's own words for it. */
function verdict(program: Buffer, arch: number, number: number, [first = 0, second = 0]: readonly number[]) {
  const data: Readonly<Record<number, number>> = { 0: number, 4: arch, 16: first, 24: second }
  let loaded = 0
  for (let at = 0; ; at++) {
    const [code, value] = [program.readUInt16LE(at * 8), program.readUInt32LE(at * 8 + 4)]
    if (code === 0x06) return value
    if (code === 0x20) loaded = data[value] ?? -1
    else {
      const isTrue = { 21: loaded === value, 53: loaded >= value, 69: (loaded & value) !== 0 }[code]
      at += program.readUInt8(at * 8 + (isTrue ? 2 : 3))
    }
  }
}

test('the filter finds each system call that is not allowed, and no other', () => {
  const program = Buffer.from(seccompFilter('x64') ?? [])
  const [arch, allowed, noPermission, notThere] = [0xc000_003e, 0x7fff_0000, 0x0005_0001, 0x0005_0026]
  const refused = new Set([
    ...[155, 161, 163, 165, 166, 167, 168, 179, 248, 249, 250, 272, 298, 304, 308, 321, 323],
    ...[425, 426, 427, 428, 429, 430, 431, 432, 433, 442],
  ])
  for (let number = 0; number < 1_000; number++) {
    const expected = number === 435 ? notThere : refused.has(number) ? noPermission : allowed
    expect([number, verdict(program, arch, number, [])]).toEqual([number, expected])
  }
  expect(verdict(program, arch, 56, [0x1000_0011])).toBe(noPermission)
  expect(verdict(program, arch, 56, [0x0001_0011])).toBe(allowed)
  expect(verdict(program, arch, 16, [0, 0x540a])).toBe(noPermission)
  expect(verdict(program, arch, 41, [38])).toBe(0x0005_0061)
  expect(verdict(program, arch, 41, [40])).toBe(0x0005_0061)
  expect(verdict(program, arch, 0x4000_0000, [])).toBe(notThere)
  expect(verdict(program, 0x4000_0003, 0, [])).toBe(0x8000_0000)
})

describe.skipIf(!hasBubblewrap || !isRoot)('a server of root', () => {
  test('runs each slot as a user of its own, who owns its files alone', async () => {
    const sandbox = await openSandbox()
    const marker = `marker-${crypto.randomUUID()}`
    const running = bash(sandbox, `M=${marker} sleep 0.5; touch made`)
    await execute(sandbox, 'write_file', { path: 'a/written', content: 'x' }, { slot_id: 'slot_1' })
    while (processesWith(marker).length === 0) await Bun.sleep(5)
    const [pid] = processesWith(marker)
    const uid = statSync(`/proc/${pid}`).uid
    expect(uid).not.toBe(0)
    await running
    const [first, second] = [await slotWorkspace(sandbox, 0), await slotWorkspace(sandbox, 1)]
    expect([first, `${first}/made`].map((path) => statSync(path).uid)).toEqual([uid, uid])
    const other = statSync(second)
    expect([other.uid === uid, other.uid === 0, other.mode & 0o777]).toEqual([false, false, 0o700])
    expect([`${second}/a`, `${second}/a/written`].map((path) => statSync(path).uid)).toEqual([
      other.uid,
      other.uid,
    ])
    const change = 'echo y >> a/written && mkdir a/more && cat a/written'
    expect((await bash(sandbox, change, { slot_id: 'slot_1' })).output).toBe('xy')
  })

  test('opens its directories as far as its slots need it, and no farther', async () => {
    const dataDir = mkdtempSync(join(tmpdir(), 'modes-'))
    try {
      mkdirSync(join(dataDir, 'slot_0'), { mode: 0o777 })
      const sandbox = await openSandbox({ dataDir, slots: 1 })
      const modeOf = (name: string) => statSync(join(dataDir, name)).mode & 0o777
      expect(['.', 'slot_0', '.sandbox-slots'].map(modeOf)).toEqual([0o701, 0o700, 0o711])
      expect(modeOf('.sandbox-slots/trash')).toBe(0o700)
      await sandbox.stop()
    } finally {
      rmSync(dataDir, { recursive: true })
    }
  })

  test.each(['chown', 'setuid', 'kill'])('stays one user without the right to %s', (right) => {
    const owners = join(import.meta.dir, '../../src/server/sandbox/owners.ts')
    const script = `console.log(await (await import(${JSON.stringify(owners)})).firstOwner(4))`
    const told = (...limits: string[]) =>
      Bun.spawnSync(['setpriv', ...limits, process.execPath, '-e', script]).stdout.toString()
    expect(told()).toMatch(/^\d+\n$/)
    expect(told('--inh-caps', `-${right}`, '--bounding-set', `-${right}`)).toBe('null\n')
  })

  test('takes over workspaces of others, and a data directory that their users cannot reach', async () => {
    const hidden = mkdtempSync(join(tmpdir(), 'hidden-'))
    try {
      const dataDir = join(hidden, 'data')
      mkdirSync(join(dataDir, 'slot_0/old'), { recursive: true })
      writeFileSync(join(dataDir, 'slot_0/old/file'), 'old\n')
      chownSync(join(dataDir, 'slot_0'), 1_234, 1_234)
      chmodSync(hidden, 0o700)
      const sandbox = await openSandbox({ dataDir, slots: 1 })
      expect((await bash(sandbox, 'cat old/file; echo new > old/file; cat old/file; id -u')).output).toBe(
        'old\nnew\n1000',
      )
      expect(statSync(join(dataDir, 'slot_0/old/file')).uid).toBeGreaterThan(1_234)
      expect((await bash(sandbox, 'sleep 60', { timeout: 0.3 })).metadata.timeout).toBe(true)
      await sandbox.stop()
      expect(processesWith(`--bind\0${dataDir}`)).toEqual([])
    } finally {
      rmSync(hidden, { recursive: true })
    }
  })
})

describe.skipIf(!hasBubblewrap)('the network', () => {
  const token = 'a-token-of-the-tests'
  const reach = async (options: SandboxOptions, args: object) => {
    const sandbox = await openSandbox({ slots: 1, token, ...options })
    const beside = Bun.serve({ port: 0, hostname: '127.0.0.1', fetch: () => new Response('reached') })
    try {
      const command = `exec 3<> /dev/tcp/127.0.0.1/${beside.port}; printf 'GET / HTTP/1.0\\r\\n\\r\\n' >&3; tail -n1 <&3`
      const body = { slot_id: 'slot_0', tool: 'bash', args: { command, ...args }, execution_id: 'x' }
      const headers = { 'content-type': 'application/json', authorization: `Bearer ${token}` }
      const request = new Request(`${baseUrl}/execute`, {
        method: 'POST',
        headers,
        body: JSON.stringify(body),
      })
      return await (await sandbox.handler(request)).json()
    } finally {
      await beside.stop(true)
    }
  }
  const reached = { output: 'reached', metadata: { network_isolated: false, sandboxed: true } }
  const apart = { success: false, metadata: { network_isolated: true, sandboxed: true } }

  test('is there when both the server and the call say so', async () => {
    expect(await reach({ network: true }, { allow_network: true })).toMatchObject(reached)
  })

  test('is not there when the call does not want it, or the server does not give it', async () => {
    expect(await reach({ network: true }, { allow_network: false })).toMatchObject(apart)
    expect(await reach({ network: false }, { allow_network: true })).toMatchObject(apart)
  })
})
