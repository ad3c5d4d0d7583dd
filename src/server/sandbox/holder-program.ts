/** The program that makes inner sandboxes, as an argument for perl. */
import { readFileSync } from 'node:fs'

export const holderProgram = ['first-process.pl', 'holder.pl']
  .map((name) => readFileSync(new URL(name, import.meta.url), 'utf8'))
  .join('\n')

/** The system calls that it makes by their number, since perl has no name for them. */
export const holderCalls: Readonly<Record<string, Readonly<Record<string, number>>>> = {
  x64: {
    ...{ clone: 56, setsid: 112, mount: 165, umount2: 166, prctl: 157, capset: 126, recvmsg: 47 },
    ...{ dup3: 292, close_range: 436, exit_group: 231, write: 1, close: 3, unshare: 272 },
    ...{ socket: 41, ioctl: 16, openat: 257, chdir: 80, execve: 59, setrlimit: 160, read: 0 },
  },
  arm64: {
    ...{ clone: 220, setsid: 157, mount: 40, umount2: 39, prctl: 167, capset: 91, recvmsg: 212 },
    ...{ dup3: 24, close_range: 436, exit_group: 94, write: 64, close: 57, unshare: 97 },
    ...{ socket: 198, ioctl: 29, openat: 56, chdir: 49, execve: 221, setrlimit: 164, read: 63 },
  },
}
