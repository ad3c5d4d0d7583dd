/** Floor 2: a sandbox job, as Nomad registers it. Browser compatible. */
import * as v from 'valibot'
import { count, text } from '../usage.ts'

/** What a sandbox job is made of. */
export interface SandboxJob {
  /** The job's ID. */
  readonly job: string
  /** The task group. Default `sandbox`. */
  readonly group?: string
  /** How many containers. Default 1. */
  readonly count?: number
  /** How Nomad runs the server: in a Docker container, or as a process of its own user on the machine. */
  readonly driver: 'docker' | 'raw_exec'
  /** The image, for `docker`. Its entrypoint takes `args`, unless `command` is given. */
  readonly image?: string
  /** The program: needed for `raw_exec`. */
  readonly command?: string
  /**
   * All arguments of the program. Nomad fills in `${NOMAD_PORT_http}` and its like. Default: those of
   * `sandbox-slots serve`, with `slots`, the port, and an address: with `docker` every one inside the container, with
   * `raw_exec` the one that Nomad gives out. Any but a loopback address needs a `serverToken`.
   */
  readonly args?: readonly string[]
  /** Slots of each container, in the default arguments. Default 8. */
  readonly slots?: number
  /** What the sandbox server asks its callers for, in the default arguments. Whoever may read the job can read it. */
  readonly serverToken?: string
  readonly env?: Readonly<Record<string, string>>
  /** More of the driver's own configuration, as in `{ privileged: true }`. */
  readonly config?: Readonly<Record<string, unknown>>
  /** MHz. Default 500. */
  readonly cpu?: number
  /** Default 512. */
  readonly memoryMb?: number
  /** The label of the port on which the server listens. Default `http`. */
  readonly portLabel?: string
  /** The port inside the container, for `docker`. Default: the same as outside, which Nomad chooses. */
  readonly containerPort?: number
  /** Default: all. */
  readonly datacenters?: readonly string[]
}

/** The fields of {@link SandboxJob}, to be checked. */
export const jobFields = {
  job: text,
  group: v.optional(text, 'sandbox'),
  count: v.optional(count, 1),
  driver: v.picklist(['docker', 'raw_exec'], 'it must be "docker" or "raw_exec"'),
  image: v.optional(text),
  command: v.optional(text),
  args: v.optional(v.array(v.string('it must be a string'))),
  slots: v.optional(count, 8),
  serverToken: v.optional(text),
  env: v.optional(v.record(v.string(), v.string('it must be a string')), {}),
  config: v.optional(v.record(v.string(), v.unknown()), {}),
  cpu: v.optional(count, 500),
  memoryMb: v.optional(count, 512),
  portLabel: v.optional(
    v.pipe(text, v.regex(/^[A-Za-z0-9_]{1,57}$/, 'it must have letters, digits and _ alone, at most 57')),
    'http',
  ),
  containerPort: v.optional(v.pipe(count, v.maxValue(65_535, 'it must be at most 65535'))),
  datacenters: v.optional(v.pipe(v.array(text), v.nonEmpty('it must not be empty')), ['*']),
}

const jobOptions = v.strictObject(jobFields)

/** A {@link SandboxJob} with its defaults. */
export type CheckedJob = v.InferOutput<typeof jobOptions>

/** Go's durations are nanoseconds. */
const second = 1_000_000_000

/** The job in Nomad's own form. */
export function nomadJob(job: CheckedJob, namespace?: string, region?: string): object {
  return {
    ID: job.job,
    Name: job.job,
    Type: 'service',
    ...(namespace && { Namespace: namespace }),
    ...(region && { Region: region }),
    Datacenters: job.datacenters,
    TaskGroups: [
      {
        Name: job.group,
        Count: job.count,
        Networks: [{ Mode: 'host', DynamicPorts: [portOf(job)] }],
        Update: update,
        RestartPolicy: restart,
        ReschedulePolicy: reschedule,
        Tasks: [task(job)],
      },
    ],
  }
}

/** With these a deployment ends as soon as the tasks run, so that it does not stand in the way of scaling. */
const update = {
  MaxParallel: 1,
  HealthCheck: 'task_states',
  MinHealthyTime: 0,
  HealthyDeadline: 300 * second,
  ProgressDeadline: 600 * second,
  AutoRevert: false,
  Canary: 0,
}
/** A server that ends is started again at once, on the same machine; one that keeps ending is given up there. */
const restart = { Attempts: 3, Interval: 300 * second, Delay: 1 * second, Mode: 'fail' }
/** Then it is placed anew, perhaps elsewhere, after growing pauses. */
const reschedule = {
  Attempts: 0,
  Interval: 0,
  Delay: 5 * second,
  DelayFunction: 'exponential',
  MaxDelay: 300 * second,
  Unlimited: true,
}

function task(job: CheckedJob): object {
  const { driver, image, command, config, env, serverToken, cpu, memoryMb, portLabel } = job
  return {
    Name: 'server',
    Driver: driver,
    Config: {
      ...(driver === 'docker' && { image, ports: [portLabel] }),
      ...(command && { command }),
      args: job.args ?? serveArgs(job),
      ...config,
    },
    Env: env,
    ...(serverToken && { Templates: [tokenFile(serverToken)] }),
    Resources: { CPU: cpu, MemoryMB: memoryMb },
    KillTimeout: 10 * second,
  }
}

function portOf({ portLabel, containerPort }: CheckedJob): object {
  return { Label: portLabel, ...(containerPort !== undefined && { To: containerPort }) }
}

function serveArgs({ driver, slots, portLabel, serverToken }: CheckedJob): string[] {
  const host = driver === 'docker' ? '0.0.0.0' : `\${NOMAD_IP_${portLabel}}`
  const token = serverToken === undefined ? [] : ['--token-file', `\${NOMAD_SECRETS_DIR}/token`]
  return [
    'serve',
    '--slots',
    String(slots),
    '--host',
    host,
    '--port',
    `\${NOMAD_PORT_${portLabel}}`,
    ...token,
  ]
}

/** A file that only the task sees. `{{` begins an expression in Nomad's templates. */
function tokenFile(token: string): object {
  const EmbeddedTmpl = token.replaceAll('{{', '{{"{{"}}')
  return { EmbeddedTmpl, DestPath: 'secrets/token', Perms: '0600', ChangeMode: 'noop' }
}
