/**
 * The Linux calls that neither Bun nor node: offers: pipes that can be reopened, sockets, opens that stay beneath, locks,
 * terminals that wait.
 */
import { dlopen, ptr, read } from 'bun:ffi'
import { constants } from 'node:os'

/** What the C library gives, or the name of the error, as in `ENOENT`. */
export type NativeResult<T> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly code: string }

export interface Native {
  /** A pipe with close-on-exec at both ends. */
  pipe(): NativeResult<{ readonly readFd: number; readonly writeFd: number }>
  /** Two connected sockets, with close-on-exec. */
  socketPair(): NativeResult<{ readonly ours: number; readonly theirs: number }>
  /** Sends one byte through a socket, and open files with it. */
  sendFds(socket: number, byte: number, fds: readonly number[]): NativeResult<undefined>
  /** Makes reads and writes wait, for all who share the open file. */
  setBlocking(fd: number): void
  openat2(
    dirFd: number,
    path: string,
    how: { readonly flags: number; readonly resolve: number },
  ): NativeResult<number>
  /** Locks an open file for this process, without waiting; the kernel unlocks it when the process ends, however. */
  lock(fd: number): NativeResult<undefined>
  /** Makes programs wait that write to the terminal `fd`, or go on. */
  holdOutput(fd: number, isHeld: boolean): NativeResult<undefined>
}

/** The same number on every Linux architecture. */
const SYS_OPENAT2 = 437
const O_CLOEXEC = 0o2000000
const O_NONBLOCK = 0o4000
const F_GETFL = 3
const F_SETFL = 4
const AF_UNIX = 1
const SOCK_STREAM = 1
const SOL_SOCKET = 1
const SCM_RIGHTS = 1
const MSG_NOSIGNAL = 0x4000
const MSG_DONTWAIT = 0x40
/** Exclusive, and at once or not at all. */
const LOCK_EX_NB = 2 | 4
/** tcflow() as the kernel calls it. */
const TCXONC = 0x540a
const TCOOFF = 0
const TCOON = 1

/** Of a number with two names the first: EAGAIN, not EWOULDBLOCK. */
const errorNames = new Map(
  Object.entries(constants.errno)
    .toReversed()
    .map(([name, number]) => [number, name]),
)

function openLibrary() {
  const symbols = {
    pipe2: { args: ['ptr', 'i32'], returns: 'i32' },
    socketpair: { args: ['i32', 'i32', 'i32', 'ptr'], returns: 'i32' },
    sendmsg: { args: ['i32', 'ptr', 'i32'], returns: 'i64' },
    fcntl: { args: ['i32', 'i32', 'i32'], returns: 'i32' },
    syscall: { args: ['i64', 'i64', 'ptr', 'ptr', 'u64'], returns: 'i64' },
    flock: { args: ['i32', 'i32'], returns: 'i32' },
    ioctl: { args: ['i32', 'u64', 'i64'], returns: 'i32' },
    __errno_location: { args: [], returns: 'ptr' },
  } as const
  for (const name of ['libc.so.6', `libc.musl-${process.arch === 'arm64' ? 'aarch64' : 'x86_64'}.so.1`]) {
    try {
      return dlopen(name, symbols).symbols
    } catch {
      // The next name.
    }
  }
  return null
}

function load(): Native | null {
  if (process.platform !== 'linux') return null
  const libc = openLibrary()
  if (libc === null) return null

  const failed = (): NativeResult<never> => {
    const location = libc.__errno_location()
    const number = location === null ? 0 : read.i32(location, 0)
    return { ok: false, code: errorNames.get(number) ?? `errno ${number}` }
  }

  return {
    pipe() {
      const ends = new Int32Array(2)
      if (libc.pipe2(ptr(ends), O_CLOEXEC) !== 0) return failed()
      return { ok: true, value: { readFd: ends[0] ?? -1, writeFd: ends[1] ?? -1 } }
    },
    socketPair() {
      const ends = new Int32Array(2)
      if (libc.socketpair(AF_UNIX, SOCK_STREAM | O_CLOEXEC, 0, ptr(ends)) !== 0) return failed()
      return { ok: true, value: { ours: ends[0] ?? -1, theirs: ends[1] ?? -1 } }
    },
    sendFds(socket, value, fds) {
      const byte = new Uint8Array([value])
      const vector = new BigUint64Array([BigInt(ptr(byte)), 1n])
      // A control message: its length, two words of what it is, and the descriptors; whole words of eight bytes.
      const control = new Int32Array(Math.ceil(fds.length / 2) * 2 + 4)
      control.set([16 + 4 * fds.length, 0, SOL_SOCKET, SCM_RIGHTS, ...fds])
      const message = new BigUint64Array([0n, 0n, BigInt(ptr(vector)), 1n, BigInt(ptr(control)), 0n, 0n])
      message[5] = BigInt(control.byteLength)
      const sent = Number(libc.sendmsg(socket, ptr(message), MSG_NOSIGNAL | MSG_DONTWAIT))
      return sent === 1 ? { ok: true, value: undefined } : failed()
    },
    setBlocking(fd) {
      const flags = libc.fcntl(fd, F_GETFL, 0)
      if ((flags & O_NONBLOCK) !== 0) libc.fcntl(fd, F_SETFL, flags & ~O_NONBLOCK)
    },
    openat2(dirFd, path, how) {
      const name = Buffer.from(`${path}\0`)
      const openHow = new BigUint64Array([BigInt(how.flags | O_CLOEXEC), 0n, BigInt(how.resolve)])
      const fd = Number(libc.syscall(SYS_OPENAT2, dirFd, ptr(name), ptr(openHow), openHow.byteLength))
      return fd < 0 ? failed() : { ok: true, value: fd }
    },
    lock(fd) {
      return libc.flock(fd, LOCK_EX_NB) === 0 ? { ok: true, value: undefined } : failed()
    },
    holdOutput(fd, isHeld) {
      const done = libc.ioctl(fd, TCXONC, isHeld ? TCOOFF : TCOON) === 0
      return done ? { ok: true, value: undefined } : failed()
    },
  }
}

let loaded: { readonly native: Native | null } | undefined

/** The native calls, or `null` where there are none. */
export function native(): Native | null {
  loaded ??= { native: load() }
  return loaded.native
}
