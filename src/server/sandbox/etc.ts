/**
 * The `/etc` of the sandboxes: a copy of the little that programs need, so that it is few mounts instead of many; but
 * large directories are mounted, since to copy hundreds of files takes as long as a hundred mounts.
 */
import { chmod, cp, mkdir, readdir, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { errorCode } from '../files/path-error.ts'

/** Never all of /etc: it holds shadow, keys, host names. */
const copied = [
  'ld.so.cache',
  'ld.so.conf',
  'ld.so.conf.d',
  'localtime',
  'timezone',
  'mime.types',
  'ssl/openssl.cnf',
]

/** What is mounted into it, where the machine has it. */
export const mountedEtc = ['alternatives', 'ssl/certs']

/** What a program needs to find names in a network. */
const copiedForNetwork = ['resolv.conf', 'nsswitch.conf', 'services', 'protocols']

const generated: Readonly<Record<string, string>> = {
  passwd: 'root:x:0:0:root:/:/bin/sh\nsandbox:x:1000:1000:sandbox:/workspace:/bin/bash\n',
  group: 'root:x:0:\nsandbox:x:1000:\n',
  hosts: '127.0.0.1 localhost\n::1 localhost\n',
}

/** The paths below /etc that are copied from the machine. Pure; exported for its test. */
export function etcPaths(network: boolean): readonly string[] {
  return network ? [...copied, ...copiedForNetwork] : copied
}

/** Makes it at `etcDir`, from the machine's (another one's in a test). What is missing there, or closed to us, is left out. */
export async function makeEtc(etcDir: string, network: boolean, from = '/etc'): Promise<void> {
  await mkdir(etcDir, { recursive: true, mode: 0o755 })
  for (const path of etcPaths(network)) {
    const to = join(etcDir, path)
    await mkdir(dirname(to), { recursive: true, mode: 0o755 })
    // resolv.conf and localtime are often symlinks to what no sandbox sees; links inside the directories are kept.
    const dereference = path === 'resolv.conf' || path === 'localtime'
    const options = { recursive: true, verbatimSymlinks: !dereference, dereference }
    await cp(join(from, path), to, options).catch(unlessAbsent)
  }
  for (const path of mountedEtc) await mkdir(join(etcDir, path), { recursive: true, mode: 0o755 })
  for (const [name, content] of Object.entries(generated)) await writeFile(join(etcDir, name), content)
  await makeReadable(etcDir)
}

function unlessAbsent(thrown: unknown): void {
  if (!['ENOENT', 'EACCES'].includes(errorCode(thrown))) throw thrown
}

/** For the slots' users, whatever the server's umask is. */
async function makeReadable(directory: string): Promise<void> {
  await chmod(directory, 0o755)
  for (const entry of await readdir(directory, { withFileTypes: true })) {
    const path = join(directory, entry.name)
    if (entry.isDirectory()) await makeReadable(path)
    else if (entry.isFile()) await chmod(path, 0o644)
  }
}
