import { afterEach, beforeEach, expect, test } from 'bun:test'
import { existsSync, mkdirSync, readdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { isRunning, Place, startServe, until } from './support.ts'

let place: Place
beforeEach(() => {
  place = new Place()
})
afterEach(() => place[Symbol.dispose]())

const none = ['--isolation', 'none', '--slots', '2']

/** A `sleep` that can be found among all processes. */
function sleeping(): string {
  return `sleep 60.${Math.floor(Math.random() * 1e9)}`
}

type Served = Awaited<ReturnType<typeof startServe>>

function call({ url }: Served, tool: string, args: object): Promise<Response> {
  return fetch(`${url}/execute`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ slot_id: 'slot_0', tool, args, timeout: 60 }),
  })
}

/** Starts a server, lets it run what does not end, and kills it. */
async function crash(args: readonly string[], commands: readonly string[]): Promise<Served> {
  const server = await startServe([...none, ...args], { cwd: place.path })
  await call(server, 'write_file', { path: 'kept', content: 'x' })
  const script = commands.map((command) => `(setsid ${command} > /dev/null 2>&1 &)`).join('; ')
  void call(server, 'bash', { command: `${script}; sleep 60` }).catch(() => {})
  await until(() => commands.every(isRunning))
  server.child.kill('SIGKILL')
  await server.child.exited
  return server
}

async function stopped({ child }: Served): Promise<string> {
  child.kill('SIGTERM')
  expect(await child.exited).toBe(0)
  return await new Response(child.stderr).text()
}

test('the next server of a data directory ends what a killed one left, and no stranger', async () => {
  const commands = [sleeping(), sleeping()]
  const crashed = await crash(['--data-dir', 'data'], commands)
  expect(commands.every(isRunning)).toBe(true)
  writeFileSync(join(place.path, 'data/.sandbox-slots/stale'), 'x')

  // Strangers: in the same directory, with the same environment but for the mark, or with the mark of another run.
  const workspace = join(place.path, 'data/slot_0')
  const environments = [{}, { HOME: workspace }, { SANDBOX_SLOTS_RUN: crypto.randomUUID() }]
  const strangers = environments.map((env) =>
    Bun.spawn(['sleep', '60'], { cwd: workspace, env, stdio: ['ignore', 'ignore', 'ignore'] }),
  )
  try {
    const next = await startServe([...none, '--data-dir', 'data'], { cwd: place.path })
    await until(() => !commands.some(isRunning))
    expect(strangers.map(({ exitCode, signalCode }) => exitCode ?? signalCode)).toEqual([null, null, null])
    expect(existsSync(join(place.path, 'data/.sandbox-slots/stale'))).toBe(false)
    expect(await (await call(next, 'read_file', { path: 'kept' })).json()).toMatchObject({ output: 'x' })
    const log = (await stopped(next)).trim().split('\n')
    const swept = log.map((line) => JSON.parse(line)).find(({ event }) => event === 'crash.swept')
    expect(swept).toMatchObject({
      level: 'warn',
      pid: crashed.child.pid,
      directory: join(place.path, 'data'),
    })
    expect(swept.killed).toBeGreaterThanOrEqual(2)
    expect(readdirSync(join(place.path, 'data')).toSorted()).toEqual([
      '.sandbox-slots-ledger',
      'slot_0',
      'slot_1',
    ])
  } finally {
    for (const stranger of strangers) stranger.kill('SIGKILL')
  }
}, 20_000)

test('temporary directories of killed servers are removed, and nothing else', async () => {
  const alive = await startServe(none, { cwd: place.path })
  const [living = ''] = place.leftovers
  const command = sleeping()
  await crash([], [command])
  expect(place.leftovers).toHaveLength(2)
  const temporary = join(place.path, 'temporary')
  // One that has no lock yet may belong to a server that is about to start.
  mkdirSync(join(temporary, 'sandbox-slots-starting'))
  mkdirSync(join(place.path, 'elsewhere'))
  const forged = JSON.stringify({ pid: 1, run: crypto.randomUUID() })
  writeFileSync(join(place.path, 'elsewhere/.sandbox-slots.lock'), forged)
  symlinkSync(join(place.path, 'elsewhere'), join(temporary, 'sandbox-slots-link'))

  const next = await startServe(none, { cwd: place.path })
  expect(isRunning(command)).toBe(false)
  await stopped(next)
  expect(place.leftovers.toSorted()).toEqual(
    [living, 'sandbox-slots-link', 'sandbox-slots-starting'].toSorted(),
  )
  expect(existsSync(join(place.path, 'elsewhere/.sandbox-slots.lock'))).toBe(true)
  expect((await call(alive, 'bash', { command: 'echo well' })).status).toBe(200)
  await stopped(alive)
}, 20_000)

test('a second server of a data directory says who has it', async () => {
  const first = await startServe([...none, '--data-dir', 'data'], { cwd: place.path })
  const second = startServe([...none, '--data-dir', 'data'], { cwd: place.path })
  const refusal = String(await second.catch((thrown: unknown) => thrown))
  expect(refusal).toContain(`Cannot use the data directory ${join(place.path, 'data')}`)
  expect(refusal).toContain(`the server with process id ${first.child.pid} uses it`)
  await stopped(first)
}, 20_000)
