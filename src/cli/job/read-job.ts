/** What a run is asked for: read and checked before anything is started. */
import { realpath } from 'node:fs/promises'
import { demoCalls } from '../demo-job.ts'
import { CommandFailure } from '../failure.ts'
import { readCallsFile, type Trajectory, trajectoriesOf } from './calls-file.ts'
import { planResume, type ResumePlan, readResultsFile } from './resume.ts'

export interface ReadJob extends ResumePlan {
  /** All of the job, done before or not. */
  readonly trajectories: readonly Trajectory[]
  /** It is the bundled job. */
  readonly isDemo: boolean
}

export interface ReadJobOptions {
  readonly out?: string | undefined
  readonly resume: boolean
}

/** @throws {CommandFailure} for whatever is wrong with the files */
export async function readJob(file: string | undefined, { out, resume }: ReadJobOptions): Promise<ReadJob> {
  if (resume && out === undefined) {
    throw new CommandFailure('--resume needs --out <file>, the results file to go on with')
  }
  if (file === '') throw new CommandFailure('The name of the calls file must not be empty')
  const trajectories = trajectoriesOf(file === undefined ? demoCalls : await readCallsFile(file))
  if (file !== undefined && out !== undefined) await refuseSameFile(file, out)
  const old = resume && out !== undefined ? await readResultsFile(out) : []
  return { trajectories, ...planResume(trajectories, old, out ?? ''), isDemo: file === undefined }
}

async function refuseSameFile(calls: string, out: string): Promise<void> {
  const [callsPath, outPath] = await Promise.all([calls, out].map((path) => realpath(path).catch(() => path)))
  if (callsPath === outPath) {
    throw new CommandFailure(`Cannot write the results to ${out}: it is the calls file`)
  }
}
