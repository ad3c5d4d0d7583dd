import { expect, test } from 'bun:test'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import * as v from 'valibot'

const root = join(import.meta.dir, '../..')
const dockerfile = readFileSync(join(root, 'src/server/Dockerfile'), 'utf8')
const nomadJob = readFileSync(join(root, 'src/server/sandbox-slots.nomad.hcl'), 'utf8')

test('the Dockerfile copies what is there', () => {
  const copied = [...dockerfile.matchAll(/^COPY (.+) \S+$/gm)].flatMap(([, paths = '']) => paths.split(' '))
  expect(copied).toContain('src')
  for (const path of copied) expect(existsSync(join(root, path))).toBe(true)
})

test.each(['x64', 'aarch64'])(
  'bun.lock names version and hash of Bun as the Dockerfile reads them: %s',
  (cpu) => {
    const lock = readFileSync(join(root, 'bun.lock'), 'utf8')
    const lines = lock.split('\n').filter((line) => new RegExp(`^ *"@oven/bun-linux-${cpu}": `).test(line))
    expect(lines).toHaveLength(1)
    expect(lines[0]).toMatch(/"@oven\/bun-linux-\w+@\d+\.\d+\.\d+"/)
    expect(lines[0]).toMatch(/"sha512-[\w+/]{86}=="/)
  },
)

test('the options in the Dockerfile and in the Nomad job are options of serve', async () => {
  const main = join(root, 'src/cli/main.ts')
  const help = await new Response(Bun.spawn([process.execPath, main, 'serve', '--help']).stdout).text()
  const [, command = ''] = /^CMD (\[.*\])$/m.exec(dockerfile) ?? []
  const [, args = ''] = /args = \[([^\]]*)\]/.exec(nomadJob) ?? []
  const used = [...v.parse(v.array(v.string()), JSON.parse(command)), ...(args.match(/[^"\s,]+/g) ?? [])]
  const options = used.filter((one) => one.startsWith('--'))
  expect(options).toContain('--token-file')
  for (const option of options) expect(help).toContain(`${option} <`)
})
