import { expect, test } from 'bun:test'
import { giveBack } from '../../src/protocol/given-back.ts'

test('a chunk is empty when it was given back; a view of what others may have is left alone', () => {
  const chunk = new Uint8Array(8).fill(1)
  giveBack(chunk)
  expect([chunk.byteLength, chunk.buffer.detached]).toEqual([0, true])
  const shared = new Uint8Array(8).fill(1)
  giveBack(shared.subarray(0, 4))
  expect(shared).toEqual(new Uint8Array(8).fill(1))
})
