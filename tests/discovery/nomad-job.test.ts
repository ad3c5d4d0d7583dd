/** The job as Nomad gets it. What stands in `${…}` is for Nomad to fill in. */
import { describe, expect, test } from 'bun:test'
import * as v from 'valibot'
import { jobFields, nomadJob } from '../../src/discovery/nomad-job.ts'

const job = (fields: object) =>
  nomadJob(v.parse(v.strictObject(jobFields), { job: 'sandbox', ...fields }), 'team', 'eu')

const shape = v.object({
  TaskGroups: v.tuple([v.looseObject({ Tasks: v.tuple([v.looseObject({ Config: v.looseObject({}) })]) })]),
})
const groupOf = (fields: object) => v.parse(shape, job(fields)).TaskGroups[0]
const taskOf = (fields: object) => groupOf(fields).Tasks[0]

const raw = { driver: 'raw_exec', command: 'sandbox-slots' }
const docker = { driver: 'docker', image: 'sandbox:1' }

test('a process: command, arguments of serve, resources', () => {
  expect(taskOf({ ...raw, slots: 64, cpu: 2_000, memoryMb: 4_096, env: { A: 'b' } })).toEqual({
    Name: 'server',
    Driver: 'raw_exec',
    Config: {
      command: 'sandbox-slots',
      args: ['serve', '--slots', '64', '--host', `\${NOMAD_IP_http}`, '--port', `\${NOMAD_PORT_http}`],
    },
    Env: { A: 'b' },
    Resources: { CPU: 2_000, MemoryMB: 4_096 },
    KillTimeout: 10_000_000_000,
  })
})

test('a Docker container: image, its port, every address inside, more of the driver', () => {
  const fields = { ...docker, portLabel: 'api', containerPort: 8_080, config: { privileged: true } }
  expect(taskOf(fields)).toMatchObject({
    Driver: 'docker',
    Config: {
      image: 'sandbox:1',
      ports: ['api'],
      args: ['serve', '--slots', '8', '--host', '0.0.0.0', '--port', `\${NOMAD_PORT_api}`],
      privileged: true,
    },
  })
  expect(groupOf(fields)).toMatchObject({
    Networks: [{ Mode: 'host', DynamicPorts: [{ Label: 'api', To: 8_080 }] }],
  })
})

test("arguments of one's own stay as they are", () => {
  expect(taskOf({ ...raw, args: [`--port=\${NOMAD_PORT_http}`] }).Config).toEqual({
    command: 'sandbox-slots',
    args: [`--port=\${NOMAD_PORT_http}`],
  })
})

test('a token goes into a file that only the task sees, whatever is in it', () => {
  const task = taskOf({ ...docker, serverToken: 'a{{b}}' })
  expect(task.Templates).toEqual([
    { EmbeddedTmpl: 'a{{"{{"}}b}}', DestPath: 'secrets/token', Perms: '0600', ChangeMode: 'noop' },
  ])
  expect(task.Config.args).toEqual(expect.arrayContaining(['--token-file', `\${NOMAD_SECRETS_DIR}/token`]))
  expect(JSON.stringify(taskOf(docker))).not.toContain('token')
})

describe('the group', () => {
  test('has deployments that end at once, so that scaling is not blocked', () => {
    expect(groupOf(raw)).toMatchObject({
      Name: 'sandbox',
      Count: 1,
      Update: { HealthCheck: 'task_states', MinHealthyTime: 0 },
    })
  })

  test('gives up on a machine after some restarts, and goes on elsewhere', () => {
    expect(groupOf(raw)).toMatchObject({
      RestartPolicy: { Attempts: 3, Mode: 'fail' },
      ReschedulePolicy: { Unlimited: true, DelayFunction: 'exponential' },
    })
  })
})

test('namespace, region and datacenters', () => {
  expect(job(raw)).toMatchObject({ Namespace: 'team', Region: 'eu', Datacenters: ['*'], Type: 'service' })
  expect(job({ ...raw, datacenters: ['dc7'] })).toMatchObject({ Datacenters: ['dc7'] })
})
