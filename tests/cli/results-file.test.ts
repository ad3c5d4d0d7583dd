import { afterEach, beforeEach, describe, expect, test } from 'bun:test'
import { lstatSync, readdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { CommandFailure, exitCodes } from '../../src/cli/failure.ts'
import { notRunRecord } from '../../src/cli/job/records.ts'
import { openResultsFile } from '../../src/cli/job/results-file.ts'
import { Place } from './support.ts'

let place: Place
beforeEach(() => {
  place = new Place()
})
afterEach(() => place[Symbol.dispose]())

const record = notRunRecord(
  { index: 3, trajectory: 'a', tool: 'bash', args: {}, timeoutMs: undefined },
  null,
  'why',
)
const line = JSON.stringify(record)

async function write(name: string, kept: readonly string[] = []): Promise<void> {
  const file = await openResultsFile(join(place.path, name), kept)
  file.append(record)
  file.close()
}

describe('a results file', () => {
  test('has the lines that are kept, then the new ones', async () => {
    place.write('results.jsonl', 'old\nkept\n')
    await write('results.jsonl', ['kept'])
    expect(place.lines('results.jsonl')).toEqual(['kept', line])
    expect(readdirSync(place.path).toSorted()).toEqual(['results.jsonl', 'temporary'])
  })

  test.each([true, false])('is replaced behind a symlink (there before: %p)', async (isThere) => {
    if (isThere) place.write('real.jsonl', 'old\n')
    symlinkSync('real.jsonl', join(place.path, 'link.jsonl'))
    await write('link.jsonl')
    expect(place.lines('real.jsonl')).toEqual([line])
    expect(lstatSync(join(place.path, 'link.jsonl')).isSymbolicLink()).toBe(true)
  })

  test('has a result as soon as it is there, and none after its end', async () => {
    const file = await openResultsFile(join(place.path, 'results.jsonl'), [])
    file.append(record)
    expect(place.lines('results.jsonl')).toEqual([line])
    file.close()
    file.close()
    file.append(record)
    expect(place.lines('results.jsonl')).toEqual([line])
  })

  test('may be a device, which is not replaced', async () => {
    const file = await openResultsFile('/dev/full', ['kept'])
    expect(() => file.append(record)).toThrow(
      new CommandFailure(
        'Cannot write call 3 to the results file /dev/full: the disk is full',
        exitCodes.notAllRan,
      ),
    )
    expect(lstatSync('/dev/full').isCharacterDevice()).toBe(true)
  })

  test('is left as it was when it cannot be replaced', async () => {
    writeFileSync(join(place.path, 'file'), 'old\n')
    expect(openResultsFile(join(place.path, 'file/results.jsonl'), [])).rejects.toThrow(
      'a part of its path is not a directory',
    )
    expect(place.lines('file')).toEqual(['old'])
  })
})
