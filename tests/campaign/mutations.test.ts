/** `bun run campaign --mutations` takes mechanisms away; what it looks for must be there, or it would try nothing. */
import { expect, test } from 'bun:test'
import { existsSync, readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { mutations } from './mutations/mutate.ts'
import { mutated } from './mutations/mutation.ts'

const root = resolve(import.meta.dir, '../..')

test.each(mutations)('$mechanism: its line is there once, and so is its test', (mutation) => {
  const text = readFileSync(join(root, mutation.file), 'utf8')
  expect(mutated(text, mutation)).not.toBe(text)
  const files = mutation.tests.filter((word) => word.endsWith('.ts'))
  expect(files.filter((file) => !existsSync(join(root, file)))).toEqual([])
  expect(files).not.toEqual([])
})

test('a line that is there twice, or not at all, is told', () => {
  const mutation = { mechanism: 'm', file: 'f', find: 'x', replace: 'y', tests: ['t'] } as const
  expect(mutated('axb', mutation)).toBe('ayb')
  expect(() => mutated('axxb', mutation)).toThrow('m: "x" occurs 2 times in f, not once')
  expect(() => mutated('ab', mutation)).toThrow('occurs 0 times')
})
