/** The promises, and the checks that prove each. */

import { answersFuzz } from './answers-fuzz.ts'
import { bigFiles } from './big-files.ts'
import { bombsCheck } from './bombs.ts'
import type { Check } from './check.ts'
import { clientInput } from './client-input.ts'
import { clientMemory } from './client-memory.ts'
import { cutsBase } from './cuts-base.ts'
import { cutsExtended } from './cuts-extended.ts'
import { cutsOwn } from './cuts-own.ts'
import { distinct } from './distinct.ts'
import { extendedFaults } from './extended-faults.ts'
import { fastBesideSlow } from './fast-beside-slow.ts'
import { healthLatency } from './health-latency.ts'
import { histories } from './histories.ts'
import { largeBatches } from './large-batches.ts'
import { leases } from './leases.ts'
import { nobodyBlocks } from './nobody-blocks.ts'
import { outages } from './outages.ts'
import { ownAnswers } from './own-answers.ts'
import { pathCorpus } from './path-corpus.ts'
import { pathsRace } from './paths-race.ts'
import { poolKill } from './pool-kill.ts'
import { refusals } from './refusals.ts'
import { requestsFuzz } from './requests-fuzz.ts'
import { sandboxCrash } from './sandbox-crash.ts'
import { sandboxKills } from './sandbox-kills.ts'
import { sandboxMemory } from './sandbox-memory.ts'
import { singlePosts } from './single-posts.ts'
import { soak } from './soak.ts'
import { stateful } from './stateful.ts'
import { strangers } from './strangers.ts'
import { v2Cancels } from './v2-cancels.ts'
import { v2Crash } from './v2-crash.ts'
import { v2Memory } from './v2-memory.ts'

/** By number, in order. */
export const promises: ReadonlyMap<string, string> = new Map([
  ['1', 'With an extended server an executionId runs at most once'],
  ['2', 'Every cut is safe'],
  ['3', 'Every posted call settles by its deadline, truthfully'],
  ['4', 'kill -9 of the server: nothing runs twice, what was told replays, no process is left'],
  ['5', 'With a base server a call is posted again only on proof that it did not run'],
  ['6', 'A failing server is not hammered'],
  ['7', 'Results reach their own call'],
  ['8', "Size is never the user's problem"],
  ['9', 'Memory is bounded on both sides'],
  ['10', 'Timeout, cancel and hang-up end the whole tree'],
  ['11', 'A lease is exclusive'],
  ['12', 'No call blocks a stranger; nothing deadlocks'],
  ['13', 'No sandbox, no run'],
  ['14', 'Strangers are kept out'],
  ['15', 'Paths stay inside'],
  ['16', 'Bad input is refused before anything runs'],
  ['17', 'Bombs do not take the server'],
  ['fuzz', 'Whatever a server answers, nothing but typed errors comes out'],
  ['soak', 'Mixed calls, faults and restarts for minutes: at the end all is as at the start'],
])

export const checks: readonly Check[] = [
  soak,
  cutsExtended,
  cutsOwn,
  cutsBase,
  clientMemory,
  distinct,
  bombsCheck,
  leases,
  nobodyBlocks,
  clientInput,
  answersFuzz,
  singlePosts,
  outages,
  ownAnswers,
  fastBesideSlow,
  largeBatches,
  histories,
  pathCorpus,
  strangers,
  refusals,
  extendedFaults,
  v2Crash,
  sandboxCrash,
  sandboxMemory,
  v2Memory,
  bigFiles,
  sandboxKills,
  v2Cancels,
  stateful,
  poolKill,
  healthLatency,
  pathsRace,
  requestsFuzz,
]
