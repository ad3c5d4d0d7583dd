/**
 * Promise 14: requests that must not get in, by the table of the quick suite and, over TCP, against a server of its own
 * whose token nobody inside can see, and which nobody inside can reach. `bun tests/campaign/strangers.ts [rounds]`
 */
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { SandboxExecutor } from '../../mod.ts'
import { hasBubblewrap } from '../server/support.ts'
import { startServe } from '../support/serve-process.ts'
import { atLeast, type Check, exactly, runAlone } from './check.ts'
import { runTestFiles } from './test-files.ts'

/** No word of it is in this campaign's own commands. */
const token = Array.from({ length: 4 }, () => crypto.randomUUID().slice(0, 8)).join('-')

/** Heads of requests, each with one thing wrong. */
function wrongHeads(port: number): Record<string, string>[] {
  const right = {
    host: `127.0.0.1:${port}`,
    authorization: `Bearer ${token}`,
    'content-type': 'application/json',
  }
  const { authorization: _, ...anonymous } = right
  return [
    anonymous,
    { ...right, host: 'evil.example' },
    { ...right, host: `evil.example:${port}` },
    { ...right, host: `127.0.0.1.evil.example:${port}` },
    { ...right, host: '0.0.0.0' },
    { ...right, origin: 'http://evil.example' },
    { ...right, origin: 'null' },
    { ...right, origin: `http://127.0.0.1:${port + 1}` },
    { ...right, 'content-type': 'text/plain' },
    { ...right, 'content-type': 'application/x-www-form-urlencoded' },
    { ...right, authorization: `Bearer ${token.slice(0, -1)}` },
    { ...right, authorization: `Bearer ${token}0` },
    { ...right, authorization: `Basic ${btoa(`:${token}`)}` },
    { ...anonymous, cookie: `token=${token}` },
  ]
}

/** The status of the answer to a POST, as it is on the wire. */
async function statusOf(port: number, headers: Record<string, string>, body: string): Promise<number> {
  const all = { ...headers, 'content-length': String(Buffer.byteLength(body)), connection: 'close' }
  const lines = Object.entries(all).map(([name, value]) => `${name}: ${value}\r\n`)
  const socket = connect({ host: '127.0.0.1', port })
  socket.write(`POST /execute HTTP/1.1\r\n${lines.join('')}\r\n${body}`)
  let text = ''
  for await (const chunk of socket) text += chunk
  return Number(/^HTTP\/1.1 (\d+)/.exec(text)?.[1])
}

/** What a call inside can read, and whether it can reach the server. */
async function lookInside(url: string, port: number): Promise<{ found: string; reached: string }> {
  await using executor = new SandboxExecutor({ token })
  const [slot] = executor.slots(url, 1)
  const search =
    'env; for f in /proc/[0-9]*/environ /proc/[0-9]*/cmdline /proc/self/mountinfo; do tr "\\0" "\\n" < $f; done; ' +
    'cat /etc/* 2> /dev/null; find / /workspace /run /dev/shm -type f -size -64k -not -path "/usr/*" -not -path "/proc/*" -exec cat {} + 2> /dev/null'
  // In brackets: not to find this very command.
  const counts = [`[${token.slice(0, 1)}]${token.slice(1)}`, 'PATH='].map(
    (text) => `grep -ac '${text}' /tmp/all`,
  )
  const found = await slot.bash(`{ ${search}; } > /tmp/all; ${counts.join('; ')}`, { timeoutMs: 60_000 })
  const reach = `(exec 3<> /dev/tcp/127.0.0.1/${port}) 2> /dev/null && echo reached; cat /proc/net/tcp | wc -l`
  const reached = await slot.bash(reach)
  return { found: found.output, reached: reached.output }
}

export const strangers: Check = {
  name: 'strangers',
  row: '14',
  unit: 'rounds',
  sizes: { full: 5, quick: 1 },
  run: async (rounds) => {
    const place = mkdtempSync(join(tmpdir(), 'strangers-'))
    const witness = join(place, 'witness')
    const wrongs: string[] = []
    let [refused, leaks] = [0, 0]
    try {
      const table = await runTestFiles(['tests/server/door-rejections.test.ts'])
      wrongs.push(...table.failed)
      const rejections = table.passed.filter((name) => /is refused|does not start/.test(name)).length
      await using server = await startServe(['--slots', '1'], {
        isolation: 'none',
        env: { SANDBOX_SLOTS_TOKEN: token },
      })
      const port = Number(new URL(server.url).port)
      const body = JSON.stringify({ slot_id: 'slot_0', tool: 'bash', args: { command: `touch ${witness}` } })
      for (let round = 0; round < rounds; round += 1) {
        for (const head of wrongHeads(port)) {
          const status = await statusOf(port, head, body)
          if (status >= 400 && status < 500) refused += 1
          else wrongs.push(`${status} for ${JSON.stringify(head).replaceAll(token, '(token)')}`)
        }
      }
      const isClean = !existsSync(witness)
      const right = {
        host: `127.0.0.1:${port}`,
        authorization: `Bearer ${token}`,
        'content-type': 'application/json',
      }
      const status = await statusOf(port, right, body)
      if (status !== 200 || !existsSync(witness)) wrongs.push(`What is right does not run: ${status}`)
      if (hasBubblewrap) {
        await using isolated = await startServe(['--slots', '1'], { env: { SANDBOX_SLOTS_TOKEN: token } })
        const inside = await lookInside(isolated.url, Number(new URL(isolated.url).port))
        const [tokens, paths] = inside.found.split('\n').map(Number)
        if (!(Number(paths) > 0)) wrongs.push(`The search inside found nothing at all: ${inside.found}`)
        leaks += tokens ?? Number.NaN
        if (inside.reached !== '1') wrongs.push(`From inside: ${inside.reached}`)
      }
      const cases = rejections + wrongHeads(port).length
      return {
        done: `${rejections} cases of the table and ${wrongHeads(port).length} over TCP; a search of everything that a call can read`,
        figures: [
          atLeast('rejection cases', cases, 30),
          exactly('let in over TCP', rounds * wrongHeads(port).length - refused, 0),
          exactly('ran', isClean ? 0 : 1, 0),
          exactly('times the token was seen inside', leaks, 0),
        ],
        wrongs,
      }
    } finally {
      rmSync(place, { recursive: true })
    }
  },
}

if (import.meta.main) await runAlone(strangers)
