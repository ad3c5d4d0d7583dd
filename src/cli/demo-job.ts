/** A small job of our own: what slots, files and commands do, with bash and coreutils alone. */
import type { JobCall, Trajectory } from './job/calls-file.ts'
import type { ResultRecord } from './job/records.ts'

type DemoCall =
  | readonly [tool: 'bash', command: string]
  | readonly [tool: 'write_file' | 'read_file', path: string, content?: string]

const primesPython = `found = [n for n in range(2, 100) if all(n % d for d in range(2, n))]
print(len(found), 'primes below 100, the last is', found[-1], '(Python)')
`

const primesJavaScript = `const found = []
for (let n = 2; n < 100; n++) if (found.every((prime) => n % prime)) found.push(n)
console.log(found.length, 'primes below 100, the last is', found.at(-1), '(JavaScript)')
`

const primesBash = `found=()
for ((n = 2; n < 100; n++)); do
  for prime in "\${found[@]}"; do ((n % prime)) || continue 2; done
  found+=("$n")
done
echo "\${#found[@]} primes below 100, the last is \${found[-1]} (bash)"
`

/** A sandbox may have none of them but bash. */
const runPrimes = `if python3 -c '' 2>/dev/null; then python3 primes.py
elif node -e '' 2>/dev/null; then node primes.js
else bash primes.sh; fi`

const poem = `the call goes to the slot
the slot goes to the batch
the batch goes to the box
`

const brokenSum = `sum=0
for number in "$@"; do sum=$number; done
echo "$sum"
`

const fixedSum = `sum=0
for number in "$@"; do ((sum += number)); done
echo "$sum"
`

const testSum = `got=$(bash sum.sh 1 2 3)
[[ $got == 6 ]] && echo "test passed: 1 + 2 + 3 is $got" || echo "test failed: 1 + 2 + 3 is not $got"`

const demo: Readonly<Record<string, readonly DemoCall[]>> = {
  'count-words': [
    ['write_file', 'poem.txt', poem],
    ['bash', "tr -s ' ' '\\n' < poem.txt | sort | uniq -c | sort -rn | head -n 1 > most.txt"],
    ['bash', 'read -r count word < most.txt; echo "the word \\"$word\\" comes $count times"'],
  ],
  'fix-a-bug': [
    ['write_file', 'sum.sh', brokenSum],
    ['bash', testSum],
    ['write_file', 'sum.sh', fixedSum],
    ['bash', testSum],
  ],
  primes: [
    ['write_file', 'primes.py', primesPython],
    ['write_file', 'primes.js', primesJavaScript],
    ['write_file', 'primes.sh', primesBash],
    ['bash', runPrimes],
  ],
  checksum: [
    ['bash', 'seq 1 100000 > numbers.txt && sha256sum numbers.txt > numbers.sha256'],
    ['bash', 'sha256sum --check numbers.sha256'],
  ],
  'nested-files': [
    ['write_file', 'a/b/c/deep.txt', 'parents are made on the way'],
    ['read_file', 'a/b/c/deep.txt'],
  ],
  'fresh-shell': [
    ['bash', 'secret=42; echo "the variable is $secret" > kept.txt'],
    ['bash', 'echo "in the next call the variable is \\"$secret\\", and the file says: $(<kept.txt)"'],
  ],
  ...Object.fromEntries(
    [97, 360, 1001, 65_537].map((number) => [
      `factors-of-${number}`,
      [
        ['bash', `before=$(ls -A | wc -l); echo "$before" > before.txt; factor ${number} > factors.txt`],
        ['bash', 'echo "$(<factors.txt) (files found here at the start: $(<before.txt))"'],
      ] satisfies DemoCall[],
    ]),
  ),
}

/** The calls of the bundled job. */
export const demoCalls: readonly JobCall[] = Object.entries(demo)
  .flatMap(([trajectory, calls]) => calls.map((call) => ({ trajectory, tool: call[0], args: argsOf(call) })))
  .map((call, index) => ({ index, ...call, timeoutMs: undefined }))

function argsOf([tool, first, content]: DemoCall): Readonly<Record<string, unknown>> {
  if (tool === 'bash') return { command: first }
  return tool === 'write_file' ? { path: first, content } : { path: first }
}

const longestLine = 100

/** The last output of each trajectory, a line each. */
export function formatDemo(trajectories: readonly Trajectory[], records: readonly ResultRecord[]): string {
  const last = new Map(records.map((record) => [record.trajectory, record]))
  const width = Math.max(...trajectories.map(({ id }) => id.length))
  return trajectories
    .flatMap(({ id }) => {
      const record = last.get(id)
      return record === undefined ? [] : [`${id.padEnd(width)}  ${firstLine(record)}`]
    })
    .join('\n')
}

function firstLine({ output, error }: ResultRecord): string {
  const [line = ''] = (output === '' ? error : output).split('\n')
  return line.length > longestLine ? `${line.slice(0, longestLine)}…` : line
}
