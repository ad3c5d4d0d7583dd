import { test } from 'bun:test'
import { copyFile, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { reportFrom } from './settings.ts'
import { expectGreen, outputOf, patience, root, settingsFor, startServer } from './support.ts'

const bun = process.execPath

test(
  'the core works from a packed tarball in an empty project',
  async () => {
    await using server = await startServer()
    const project = await mkdtemp(join(tmpdir(), 'sandbox-slots-packed-'))
    try {
      const packed = await outputOf([bun, 'pm', 'pack', '--quiet', '--destination', project], root)
      await Bun.write(join(project, 'package.json'), '{ "name": "empty", "type": "module" }')
      await outputOf([bun, 'add', packed.trim()], project)
      for (const name of new Bun.Glob('{settings,smoke*}.ts').scanSync(import.meta.dir)) {
        await copyFile(join(import.meta.dir, name), join(project, name))
      }
      const main = await Bun.file(join(import.meta.dir, 'main.ts')).text()
      await Bun.write(join(project, 'main.ts'), main.replace('../../mod.ts', 'sandbox-slots'))
      const settings = JSON.stringify(await settingsFor(server))
      expectGreen(reportFrom(await outputOf([bun, 'main.ts', settings], project)))
    } finally {
      await rm(project, { recursive: true, force: true })
    }
  },
  patience,
)
