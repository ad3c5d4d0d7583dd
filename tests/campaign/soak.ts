/**
 * Mixed calls through faults and restarts for minutes: what client and servers hold at the end is what they held at the
 * start. `bun tests/campaign/soak.ts --minutes 10`
 */
import { randomOf } from '../support/random.ts'
import { Witness } from '../support/witness.ts'
import { atLeast, atMost, below, type Check, exactly, type Findings, runAlone } from './check.ts'
import { SoakLoad } from './soak-load.ts'
import { type Handles, type Holdings, moreHandles, SoakWorld, slope } from './soak-world.ts'

const seed = Number(process.env.CAMPAIGN_SEED ?? 18)
/** One of the two servers is killed so often. */
const killEveryMs = 15_000
const sampleEveryMs = 1_000
/** Code is compiled, pools of all kinds are filled: memory is compared with what it was after so long. */
const warmMs = 10_000
/** A server gives up after 30 s what it has made for calls that do not come. */
const patienceMs = 60_000

/** Load for a while, with kills; then all rests. */
async function phase(
  world: SoakWorld,
  load: SoakLoad,
  ms: number,
  samples: { minute: number; value: number }[],
) {
  const end = performance.now() + ms
  let nextKill = performance.now() + Math.min(killEveryMs, ms / 2)
  load.begin()
  while (performance.now() < end) {
    await Bun.sleep(Math.min(sampleEveryMs, end - performance.now()))
    world.forget()
    samples.push({ minute: performance.now() / 60_000, value: process.memoryUsage.rss() / 1e6 })
    if (performance.now() < nextKill) continue
    await world.killOne()
    nextKill = performance.now() + killEveryMs
  }
  await load.rest()
  await world.hangUp()
  await Bun.sleep(1_000)
}

/** What is held when no more processes are there than at the start, or never again. */
async function holdingsAtRest(world: SoakWorld, processes: number): Promise<Holdings> {
  const end = performance.now() + patienceMs
  let holdings = world.holdings()
  for (; holdings.processes > processes && performance.now() < end; holdings = world.holdings())
    await Bun.sleep(1_000)
  return holdings
}

const countOf = (handles: Handles) => [...handles.values()].reduce((sum, count) => sum + count, 0)

function judge(before: Holdings, after: Holdings) {
  const more = (key: 'clientMB' | 'serverMB' | 'processes' | 'files') => after[key] - before[key]
  return [
    below('MB more in the client', more('clientMB'), 32),
    below('MB more in the servers', more('serverMB'), 64),
    exactly(
      'kinds of handles of which the client has more',
      moreHandles(before.clientHandles, after.clientHandles).length,
      0,
    ),
    exactly(
      'kinds of handles of which the servers have more',
      moreHandles(before.serverHandles, after.serverHandles).length,
      0,
    ),
    atMost('processes more', more('processes'), 0),
    atMost('files more', more('files'), 0),
  ]
}

/** What the servers without a sandbox told, against the witness. */
function untruths(load: SoakLoad, witness: Witness): string[] {
  const ran = witness.counts()
  return [...load.marked].flatMap(([id, { outcome, output }]) => {
    const count = ran.get(id) ?? 0
    const once = outcome === 'exited' || outcome === 'timed-out'
    const isTrue = once ? count === 1 : outcome === 'not-run' ? count === 0 : count <= 1
    return isTrue && (outcome !== 'exited' || output === `ran ${id}`)
      ? []
      : [`${outcome}, ran ${count} times: ${output}`]
  })
}

async function soakFor(minutes: number): Promise<Findings> {
  const random = randomOf(seed)
  using witness = new Witness()
  await using world = new SoakWorld(random)
  await world.start()
  const samples: { minute: number; value: number }[] = []
  // The runtime's client has a loop of its own, from its first request on.
  for (const { url } of world.proxies) await (await fetch(`${url}/health`)).json()
  await world.hangUp()
  // Sandboxes for the first calls are made.
  await Bun.sleep(2_000)
  let before = world.holdings()
  let load: SoakLoad
  {
    await using current = await SoakLoad.start(world, witness, random)
    load = current
    await phase(world, load, warmMs, [])
    const { clientMB, serverMB } = world.holdings()
    before = { ...before, clientMB, serverMB }
    await phase(world, load, minutes * 60_000, samples)
  }
  await world.hangUp()
  const after = await holdingsAtRest(world, before.processes)
  const { kills, requests, struck } = world
  const rest = await world.end()
  const lies = untruths(load, witness)
  const told = [...load.counts].map(([outcome, count]) => `${count} ${outcome}`).join(', ')
  const calls = [...load.counts.values()].reduce((sum, count) => sum + count, 0)
  const held = `at the end ${after.clientMB.toFixed(0)} and ${after.serverMB.toFixed(0)} MB, ${countOf(after.clientHandles)} and ${countOf(after.serverHandles)} handles, ${after.processes} processes, ${after.files} files`
  return {
    done: `${minutes} minutes, ${calls} calls (${told}) in ${requests} requests, ${struck} struck, ${kills} times kill -9 and restart; client and servers held ${held}; the client grew ${slope(samples).toFixed(1)} MB a minute under load`,
    figures: [
      ...judge(before, after),
      exactly('processes and files left after the stop', rest.length, 0),
      exactly(`told untruly, of ${load.marked.size} with a witness`, lies.length, 0),
      atMost('ms after the deadline', load.lateMs, 250),
      atLeast('kinds of outcomes', load.counts.size, 5),
    ],
    wrongs: [
      ...rest.map((what) => `Left: ${what}`),
      ...moreHandles(before.clientHandles, after.clientHandles).map((what) => `The client has ${what} more`),
      ...moreHandles(before.serverHandles, after.serverHandles).map(
        (what) => `The servers have ${what} more`,
      ),
      ...lies,
      ...load.wrongs,
    ],
  }
}

export const soak: Check = {
  name: 'soak',
  row: 'soak',
  unit: 'minutes',
  sizes: { full: 10, quick: 0.3 },
  run: soakFor,
}

if (import.meta.main) await runAlone(soak)
