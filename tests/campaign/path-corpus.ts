/**
 * Promise 15: the corpus of paths (.., absolute, NUL, links, FIFOs, devices, sockets, surrogates) and writes that are
 * killed: the tests of the quick suite, counted. `bun tests/campaign/path-corpus.ts [rounds]`
 */
import { atLeast, type Check, exactly, runAlone } from './check.ts'
import { runTestFiles } from './test-files.ts'

const files = ['files', 'files-corpus', 'files-writing', 'v2-files'].map(
  (name) => `tests/server/${name}.test.ts`,
)

export const pathCorpus: Check = {
  name: 'path-corpus',
  row: '15',
  unit: 'rounds',
  sizes: { full: 2, quick: 1 },
  run: async (rounds) => {
    let cases = 0
    const wrongs: string[] = []
    for (let round = 0; round < rounds; round += 1) {
      const { passed, failed } = await runTestFiles(files)
      cases += passed.length
      wrongs.push(...failed)
    }
    return {
      done: `${cases / rounds} cases, ${rounds} times: paths that leave, what is no file, writers that are killed`,
      figures: [
        exactly('escapes or halves of files', wrongs.length, 0),
        atLeast('cases each time', cases / rounds, 60),
      ],
      wrongs,
    }
  },
}

if (import.meta.main) await runAlone(pathCorpus)
