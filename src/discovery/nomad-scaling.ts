/** Floor 2: how many allocations a group of a job should have. Browser compatible. */
import * as v from 'valibot'
import type { DiscoveryScaling } from '../ports/discovery.ts'
import { checked } from '../usage.ts'
import type { NomadClient } from './nomad-client.ts'
import { NomadError } from './nomad-error.ts'

const scaleStatus = v.object({ TaskGroups: v.record(v.string(), v.object({ Desired: v.number() })) })

const wanted = v.pipe(
  v.number('it must be a number'),
  v.safeInteger('it must be a whole number'),
  v.minValue(0, 'it must not be negative'),
)

/** What Nomad says, with status 400, while a deployment runs. */
const deploymentRuns = /blocked due to active deployment/i

/** Scales `group` of `job`; without a group, the only one that the job has. */
export function nomadScaling(client: NomadClient, job: string, group: string | undefined): DiscoveryScaling {
  const path = `job/${encodeURIComponent(job)}/scale`
  const groupAndCount = async (signal: AbortSignal) => {
    const action = `read the scale of job ${job}`
    const { value } = await client.ask({ action, method: 'GET', path, schema: scaleStatus }, signal)
    return chosen(Object.entries(value.TaskGroups), job, group)
  }
  return {
    current: async (signal) => (await groupAndCount(signal)).count,
    async scaleTo(count, signal) {
      const Count = checked(wanted, count, 'count')
      const Group = group ?? (await groupAndCount(signal)).name
      const action = `scale group ${Group} of job ${job} to ${Count}`
      const body = { Count, Target: { Group }, Message: 'sandbox-slots' }
      try {
        await client.ask({ action, method: 'POST', path, body, schema: v.unknown() }, signal)
      } catch (thrown) {
        throw laterIfDeploying(thrown)
      }
    },
  }
}

function chosen(
  groups: readonly (readonly [string, { readonly Desired: number }])[],
  job: string,
  group: string | undefined,
): { readonly name: string; readonly count: number } {
  const names = groups.map(([name]) => name)
  const [only, ...others] = group === undefined ? groups : groups.filter(([name]) => name === group)
  if (only !== undefined && others.length === 0) return { name: only[0], count: only[1].Desired }
  const problem =
    group === undefined
      ? `it has the groups ${names.join(', ') || '(none)'}: say which one by the option group`
      : `it has no group ${group}, only ${names.join(', ') || '(none)'}`
  throw new NomadError(`Cannot scale job ${job}: ${problem}`, false)
}

function laterIfDeploying(thrown: unknown): unknown {
  if (!(thrown instanceof NomadError) || thrown.status !== 400 || !deploymentRuns.test(thrown.message))
    return thrown
  return new NomadError(`${thrown.message}; try again later`, true, 400, { cause: thrown })
}
