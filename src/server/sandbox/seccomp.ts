/**
 * A filter of system calls, as a program for the kernel (classic BPF). Pure. It takes away what no tool call needs and
 * what leads around the namespaces, or deep into the kernel: keyrings (shared by all that a user runs), further
 * namespaces and mounts, BPF, io_uring, userfaultfd, sockets to the machine's hypervisor, and
 * the right to let a terminal's output go on that the server holds back.
 */

interface Machine {
  /** AUDIT_ARCH_… of <linux/audit.h>. */
  readonly audit: number
  readonly calls: Readonly<Record<string, number>>
  /** From this number on there is another set of the same calls: x32. */
  readonly otherCallsFrom: number | null
}

/** The numbers that are the same on every processor, since 2018. */
const newCalls = {
  io_uring_setup: 425,
  io_uring_enter: 426,
  io_uring_register: 427,
  open_tree: 428,
  move_mount: 429,
  fsopen: 430,
  fsconfig: 431,
  fsmount: 432,
  fspick: 433,
  mount_setattr: 442,
}

const machines: Readonly<Record<string, Machine>> = {
  x64: {
    audit: 0xc000_003e,
    otherCallsFrom: 0x4000_0000,
    calls: {
      ...newCalls,
      ...{ ioctl: 16, socket: 41, clone: 56, pivot_root: 155, chroot: 161, acct: 163 },
      ...{ mount: 165, umount2: 166 },
      ...{ swapon: 167, swapoff: 168, quotactl: 179, add_key: 248, request_key: 249, keyctl: 250 },
      ...{ unshare: 272, perf_event_open: 298, open_by_handle_at: 304, setns: 308, bpf: 321 },
      ...{ userfaultfd: 323, clone3: 435 },
    },
  },
  arm64: {
    audit: 0xc000_00b7,
    otherCallsFrom: null,
    calls: {
      ...newCalls,
      ...{ ioctl: 29, umount2: 39, mount: 40, pivot_root: 41, chroot: 51, quotactl: 60 },
      ...{ acct: 89, unshare: 97 },
      ...{ socket: 198, add_key: 217, request_key: 218, keyctl: 219, clone: 220, swapon: 224, swapoff: 225 },
      ...{ perf_event_open: 241, open_by_handle_at: 265, setns: 268, bpf: 280, userfaultfd: 282 },
      ...{ clone3: 435 },
    },
  },
}

const EPERM = 1
const ENOSYS = 38
const EAFNOSUPPORT = 97

/** CLONE_NEWNS, NEWCGROUP, NEWUTS, NEWIPC, NEWUSER, NEWPID, NEWNET. */
const NEW_NAMESPACES = 0x7e02_0000
/** AF_ALG (the kernel's own cryptography), AF_VSOCK (the hypervisor, past the network namespace). */
const closedFamilies = [38, 40]
/** tcflow(): stops and starts the output of a terminal. */
const TCXONC = 0x540a

const LOAD = 0x20
const JUMP_EQUAL = 0x15
const JUMP_AT_LEAST = 0x35
const JUMP_ANY_BIT = 0x45
const RETURN = 0x06
const ALLOW = 0x7fff_0000
const KILL = 0x8000_0000
const refuse = (errno: number) => 0x0005_0000 | errno

/** Offsets in `struct seccomp_data`. */
const NUMBER = 0
const ARCH = 4
const FIRST_ARGUMENT = 16
const SECOND_ARGUMENT = 24

type Instruction = readonly [code: number, ifTrue: number, ifFalse: number, value: number]

const allowed: readonly Instruction[] = [give(ALLOW)]
const refused: readonly Instruction[] = [give(refuse(EPERM))]

/** The calls that are not refused whatever they are given. */
const judged: Readonly<Record<string, readonly Instruction[]>> = {
  // Its flags are in memory, where no filter can look. Without it programs use clone.
  clone3: [give(refuse(ENOSYS))],
  clone: [load(FIRST_ARGUMENT), ...when(JUMP_ANY_BIT, NEW_NAMESPACES, refuse(EPERM)), give(ALLOW)],
  ioctl: [load(SECOND_ARGUMENT), ...when(JUMP_EQUAL, TCXONC, refuse(EPERM)), give(ALLOW)],
  socket: [
    load(FIRST_ARGUMENT),
    ...closedFamilies.flatMap((family) => when(JUMP_EQUAL, family, refuse(EAFNOSUPPORT))),
    give(ALLOW),
  ],
}

/** The program, or `null` for a processor whose numbers are not known here. */
export function seccompFilter(processor: string): Uint8Array | null {
  const machine = machines[processor]
  return machine === undefined ? null : encode(instructions(machine))
}

function instructions({ audit, calls, otherCallsFrom }: Machine): Instruction[] {
  return [
    ...[load(ARCH), ...unless(JUMP_EQUAL, audit, KILL), load(NUMBER)],
    ...(otherCallsFrom === null ? [] : when(JUMP_AT_LEAST, otherCallsFrom, refuse(ENOSYS))),
    ...found(ranges(calls)),
  ]
}

/** The calls from this number on, up to the next range. */
interface Range {
  readonly from: number
  /** Always returns. */
  readonly body: readonly Instruction[]
}

function ranges(calls: Machine['calls']): Range[] {
  const bodies = new Map([[0, allowed]])
  for (const [name, number] of Object.entries(calls).toSorted(([, a], [, b]) => a - b)) {
    bodies.set(number, judged[name] ?? refused)
    bodies.set(number + 1, allowed)
  }
  const all = [...bodies].map(([from, body]) => ({ from, body }))
  return all.filter(({ body }, at) => body !== all[at - 1]?.body)
}

/**
 * The range of the number that is loaded, found by halves. For each sandbox the kernel goes through the filter with every
 * number that it knows, to learn which calls need no filter.
 */
function found(among: readonly Range[]): readonly Instruction[] {
  const half = among.length >> 1
  const middle = among[half]
  if (middle === undefined || half === 0) return middle?.body ?? allowed
  const below = found(among.slice(0, half))
  return [[JUMP_AT_LEAST, below.length, 0, middle.from], ...below, ...found(among.slice(half))]
}

function load(offset: number): Instruction {
  return [LOAD, 0, 0, offset]
}

function give(result: number): Instruction {
  return [RETURN, 0, 0, result]
}

function when(jump: number, value: number, result: number): Instruction[] {
  return [[jump, 0, 1, value], give(result)]
}

function unless(jump: number, value: number, result: number): Instruction[] {
  return [[jump, 1, 0, value], give(result)]
}

function encode(program: readonly Instruction[]): Uint8Array {
  const bytes = Buffer.alloc(program.length * 8)
  for (const [index, [code, ifTrue, ifFalse, value]] of program.entries()) {
    bytes.writeUInt16LE(code, index * 8)
    bytes.writeUInt8(ifTrue, index * 8 + 2)
    bytes.writeUInt8(ifFalse, index * 8 + 3)
    bytes.writeUInt32LE(value >>> 0, index * 8 + 4)
  }
  return bytes
}
