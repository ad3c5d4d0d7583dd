/** The types' tests are judged by tsc: this looks that they are put before it. */
import { expect, test } from 'bun:test'
import { join } from 'node:path'
import * as v from 'valibot'
import { outputOf, root } from '../runtime/support.ts'

const manifest = v.object({ scripts: v.object({ check: v.string() }) })

test('npm run check has tsc judge the types', async () => {
  const { scripts } = v.parse(manifest, await Bun.file(join(root, 'package.json')).json())
  expect(scripts.check).toStartWith('tsc --noEmit &&')
  const judged = await outputOf(
    [process.execPath, join(root, 'node_modules/.bin/tsc'), '--listFilesOnly'],
    root,
  )
  for (const path of new Bun.Glob('tests/types/*.ts').scanSync(root))
    expect(judged).toContain(join(root, path))
})
