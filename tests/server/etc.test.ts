import { expect, test } from 'bun:test'
import {
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readlinkSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { makeEtc } from '../../src/server/sandbox/etc.ts'

/** Makes the /etc of a sandbox, from one that has these; while the server's files are for itself alone. */
async function made(network: boolean, check: (etc: string) => void) {
  const dir = mkdtempSync(join(tmpdir(), 'etc-'))
  const [from, etc] = [join(dir, 'machine'), join(dir, 'etc')]
  mkdirSync(join(from, 'ld.so.conf.d'), { recursive: true })
  writeFileSync(join(from, 'shadow'), 'root:secret')
  writeFileSync(join(from, 'passwd'), 'a-person:x:1000:1000')
  writeFileSync(join(from, 'ld.so.conf.d/one.conf'), '/one')
  symlinkSync('one.conf', join(from, 'ld.so.conf.d/two.conf'))
  writeFileSync(join(dir, 'resolved'), 'nameserver 192.0.2.1')
  for (const name of ['resolv.conf', 'localtime']) symlinkSync('../resolved', join(from, name))
  const before = process.umask(0o077)
  try {
    await makeEtc(etc, network, from)
    check(etc)
  } finally {
    process.umask(before)
    rmSync(dir, { recursive: true })
  }
}

test('links to what no sandbox sees become files, others stay links', () =>
  made(true, (etc) => {
    for (const name of ['resolv.conf', 'localtime']) {
      expect(lstatSync(join(etc, name)).isFile()).toBe(true)
      expect(readFileSync(join(etc, name), 'utf8')).toBe('nameserver 192.0.2.1')
    }
    expect(readlinkSync(join(etc, 'ld.so.conf.d/two.conf'))).toBe('one.conf')
  }))

test('everybody may read it, and it has nothing of the machine’s users', () =>
  made(false, (etc) => {
    const modes = ['.', 'ld.so.conf.d', 'ld.so.conf.d/one.conf', 'passwd', 'alternatives'].map(
      (name) => lstatSync(join(etc, name)).mode & 0o777,
    )
    expect(modes).toEqual([0o755, 0o755, 0o644, 0o644, 0o755])
    expect(readFileSync(join(etc, 'passwd'), 'utf8')).not.toContain('a-person')
    expect(lstatSync(join(etc, 'shadow'), { throwIfNoEntry: false })).toBeUndefined()
    expect(lstatSync(join(etc, 'resolv.conf'), { throwIfNoEntry: false })).toBeUndefined()
  }))

test('what cannot be copied is told; what is missing is left out', async () => {
  const dir = mkdtempSync(join(tmpdir(), 'etc-'))
  const [from, etc] = [join(dir, 'machine'), join(dir, 'etc')]
  mkdirSync(from)
  try {
    await makeEtc(etc, true, from)
    mkdirSync(join(etc, 'timezone'))
    writeFileSync(join(from, 'timezone'), 'Etc/UTC')
    expect(makeEtc(etc, true, from)).rejects.toThrow('timezone')
  } finally {
    rmSync(dir, { recursive: true })
  }
})
