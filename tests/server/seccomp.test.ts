/** The filter of system calls, run as the kernel runs it: here, for every processor. */
import { describe, expect, test } from 'bun:test'
import { seccompFilter } from '../../src/server/sandbox/seccomp.ts'

interface SystemCall {
  readonly audit: number
  readonly number: number
  readonly args?: readonly number[]
}

/** Classic BPF, as far as the filter uses it: what it says of the call. */
function judge(program: Buffer, { audit, number, args = [] }: SystemCall): number {
  const data = new Map([[0, number], [4, audit], ...args.map((arg, at) => [16 + 8 * at, arg] as const)])
  let loaded = 0
  for (let at = 0; at < program.length; at += 8) {
    const [code, value] = [program.readUInt16LE(at), program.readUInt32LE(at + 4)]
    const jump = (isTrue: boolean) => {
      at += 8 * program.readUInt8(at + (isTrue ? 2 : 3))
    }
    if (code === 0x20) loaded = data.get(value) ?? 0
    else if (code === 0x06) return value
    else if (code === 0x15) jump(loaded === value)
    else if (code === 0x35) jump(loaded >= value)
    else if (code === 0x45) jump((loaded & value) !== 0)
    else throw new Error(`unknown instruction ${code}`)
  }
  throw new Error('it has no end')
}

const ALLOWED = 0x7fff_0000
const KILLED = 0x8000_0000
const refusedWith = (errno: number) => 0x0005_0000 | errno
const EPERM = refusedWith(1)
const ENOSYS = refusedWith(38)
const EAFNOSUPPORT = refusedWith(97)

/** As in the kernel's tables. */
const numbers = {
  x64: {
    ...{ audit: 0xc000_003e, read: 0, execve: 59, ptrace: 101, ioctl: 16, socket: 41, clone: 56 },
    refused: {
      ...{ pivot_root: 155, chroot: 161, acct: 163, mount: 165, umount2: 166, swapon: 167, swapoff: 168 },
      ...{ quotactl: 179, add_key: 248, request_key: 249, keyctl: 250, unshare: 272, perf_event_open: 298 },
      ...{ open_by_handle_at: 304, setns: 308, bpf: 321, userfaultfd: 323 },
    },
  },
  arm64: {
    ...{ audit: 0xc000_00b7, read: 63, execve: 221, ptrace: 117, ioctl: 29, socket: 198, clone: 220 },
    refused: {
      ...{ umount2: 39, mount: 40, pivot_root: 41, chroot: 51, quotactl: 60, acct: 89, unshare: 97 },
      ...{ add_key: 217, request_key: 218, keyctl: 219, swapon: 224, swapoff: 225, perf_event_open: 241 },
      ...{ open_by_handle_at: 265, setns: 268, bpf: 280, userfaultfd: 282 },
    },
  },
}
const everywhere = {
  ...{ io_uring_setup: 425, io_uring_enter: 426, io_uring_register: 427, open_tree: 428, move_mount: 429 },
  ...{ fsopen: 430, fsconfig: 431, fsmount: 432, fspick: 433, mount_setattr: 442 },
}

describe.each(['x64', 'arm64'] as const)('on %s', (processor) => {
  const program = Buffer.from(seccompFilter(processor) ?? [])
  const { audit, refused, ...of } = numbers[processor]
  const told = (number: number, ...args: number[]) => judge(program, { audit, number, args })

  test('what leads around the namespaces, or deep into the kernel, is refused', () => {
    const answers = Object.entries({ ...refused, ...everywhere }).map(([name, number]) => [
      name,
      told(number),
    ])
    expect(answers.filter(([, answer]) => answer !== EPERM)).toEqual([])
  })

  test('what programs need is allowed', () => {
    const THREAD = 0x3d_0f00
    const [INET, UNIX] = [2, 1]
    const answers = [told(of.read), told(of.execve), told(of.clone, THREAD), told(of.clone, 17)]
    expect([...answers, told(of.socket, INET), told(of.socket, UNIX), told(of.ioctl, 1, 0x5401)]).toEqual(
      Array(7).fill(ALLOWED),
    )
  })

  test.each([17, 25, 26, 27, 28, 29, 30])('no new namespace by clone: bit %d of its flags', (bit) => {
    expect(told(of.clone, (2 ** bit) | 17)).toBe(EPERM)
    expect(told(435)).toBe(ENOSYS)
  })

  test('no socket of the kernel’s cryptography, nor to the hypervisor; no hold on a terminal', () => {
    expect([told(of.socket, 38), told(of.socket, 40)]).toEqual([EAFNOSUPPORT, EAFNOSUPPORT])
    expect(told(of.ioctl, 1, 0x540a)).toBe(EPERM)
  })

  test('the calls of another processor end the program', () => {
    const I386 = 0x4000_0003
    for (const other of [I386, numbers.x64.audit, numbers.arm64.audit].filter((each) => each !== audit))
      expect(judge(program, { audit: other, number: of.read })).toBe(KILLED)
  })
})

test('on x64 there is no second set of the same calls', () => {
  const program = Buffer.from(seccompFilter('x64') ?? [])
  const { audit, refused } = numbers.x64
  expect(judge(program, { audit, number: 0x4000_0000 + refused.mount })).toBe(ENOSYS)
})
