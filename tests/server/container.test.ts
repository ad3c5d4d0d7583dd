import { expect, test } from 'bun:test'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import * as v from 'valibot'

const root = join(import.meta.dir, '../..')
const dockerfile = readFileSync(join(root, 'src/server/Dockerfile'), 'utf8')
const nomadJob = readFileSync(join(root, 'src/server/sandbox-slots.nomad.hcl'), 'utf8')

test('the Dockerfile copies what is there', () => {
  const copied = [...dockerfile.matchAll(/^COPY (?!--from)(.+) \S+$/gm)].flatMap(([, paths = '']) =>
    paths.split(' '),
  )
  expect(copied).toContain('src')
  for (const path of copied) expect(existsSync(join(root, path))).toBe(true)
})

test('the Dockerfile takes the Bun of package.json', () => {
  const manifest = v.object({ devDependencies: v.object({ bun: v.string() }) })
  const { devDependencies } = v.parse(manifest, JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')))
  expect(/^FROM oven\/bun:(\S+)-slim AS bun$/m.exec(dockerfile)?.[1]).toBe(devDependencies.bun)
})

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
