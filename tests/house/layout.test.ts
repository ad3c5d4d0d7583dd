import { expect, test } from 'bun:test'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { unnamedExports } from './exports.ts'
import { strayAtTop, tooLong } from './layout.ts'
import { root, sourceFiles } from './sources.ts'

test('files can be read at once', () => {
  expect(tooLong(sourceFiles())).toEqual([])
})

test('a file of 251 lines is too long, unless it is generated', () => {
  const text = 'x\n'.repeat(251)
  expect(tooLong([{ path: 'src/a.ts', text }])).toEqual([
    'src/a.ts has 251 lines, more than 250: take it apart',
  ])
  expect(tooLong([{ path: 'src/a.generated.ts', text }])).toEqual([])
  expect(tooLong([{ path: 'src/a.ts', text: text.slice(2) }])).toEqual([])
})

test.skipIf(!existsSync(join(root, '.git')))('the top of the repository holds what it should', () => {
  const { stdout } = Bun.spawnSync(['git', 'ls-files'], { cwd: root })
  expect(strayAtTop(stdout.toString().trim().split('\n'))).toEqual([])
})

test('a stray at the top is seen, a dot-file may be there', () => {
  expect(strayAtTop(['src/a.ts', 'docs/b.md', '.ci/run', 'notes.txt'])).toEqual(['docs', 'notes.txt'])
})

test('exports have names', () => {
  expect(unnamedExports(sourceFiles())).toEqual([])
})

test('a default export and an export of everything are seen', () => {
  const text = `export const a = 1\nexport default a\nexport * from './b.ts'\n`
  expect(unnamedExports([{ path: 'src/a.ts', text }])).toEqual([
    'src/a.ts:2 exports a default: name it',
    'src/a.ts:3 exports everything of a module: name it',
  ])
})
