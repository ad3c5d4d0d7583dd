/** A command's surroundings are the same, whoever made its sandbox: a holder before its call, or bubblewrap for it. */
import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { readdirSync } from 'node:fs'
import { createSandbox, type Sandbox } from '../../src/server/sandbox.ts'
import { bash, eventually, execute, hasBubblewrap, insideOf, post, slotWorkspace } from './support.ts'

const makers = [
  ['a holder', 8],
  ['bubblewrap', 0],
] as const

describe.skipIf(!hasBubblewrap).each(makers)('in a sandbox made by %s', (_, maxWaiting) => {
  let sandbox: Sandbox
  beforeAll(async () => {
    sandbox = await createSandbox({ slots: 1 }, { ready: { maxWaiting, idleMs: 30_000 } })
  })
  afterAll(() => sandbox.stop())

  const lines = async (command: string) => (await bash(sandbox, command)).output.split('\n')

  /** The options of what is mounted at places that look so. */
  const mounted = async (places: string) =>
    await lines(
      `while read _ at _ options _; do case $at in ${places}) echo $options;; esac; done < /proc/mounts`,
    )

  test('what can be written to has no devices, and no programs with the set-uid bit', async () => {
    const told = await mounted('/proc|/tmp|/dev/shm|/workspace')
    expect(told.length).toBeGreaterThanOrEqual(4)
    for (const options of told) expect(options).toMatch(/^rw,nosuid,nodev/)
  })

  test('what sets the kernel cannot be written to', async () => {
    const told = await mounted('/proc/*')
    expect(told.length).toBeGreaterThan(2)
    for (const options of told) expect(options).toMatch(/^ro,nosuid,nodev/)
  })

  test('/tmp is as everywhere, and there are terminals', async () => {
    expect(await lines('stat -c %a /tmp /dev/shm /dev/pts/ptmx')).toEqual(['1777', '1777', '666'])
  })

  test('no signal is ignored or held back', async () => {
    expect(await lines('grep -E "^Sig(Ign|Blk)" /proc/self/status | cut -f2 | sort -u')).toEqual([
      '0000000000000000',
    ])
  })

  test('no process has a capability, the first one neither', async () => {
    expect(await lines('cat /proc/[0-9]*/status | grep ^Cap | cut -f2 | sort -u')).toEqual([
      '0000000000000000',
    ])
  })

  test('its user has a name, and so has this machine', async () => {
    expect(await lines('whoami; id -gn; uname -n; head -n1 /etc/hosts')).toEqual([
      'sandbox',
      'sandbox',
      'sandbox',
      '127.0.0.1 localhost',
    ])
  })

  test('a command that is killed by a signal, to itself or to its group, is told so and no word is added', async () => {
    for (const command of ['kill -9 $$', 'kill -KILL 0']) {
      const { error, metadata } = await bash(sandbox, command)
      expect([error, metadata.stdout, metadata.stderr]).toEqual(['Exit code: 137', '', ''])
    }
  })

  test('no variable of what starts it is left', async () => {
    expect(await lines(`echo "\${REPLY-none} \${IFS@Q} $#"`)).toEqual([`none $' \\t\\n' 0`])
  })

  test('no descriptor is left: of calls, also those that do not read their input; of sandboxes that had none', async () => {
    const workspace = await slotWorkspace(sandbox)
    const call = (stdin: string) => execute(sandbox, 'bash', { command: 'true', stdin })
    const calls = async (count: number) => {
      for (let at = 0; at < count; at++) await call('x'.repeat(200_000 * (at % 2)))
    }
    const resets = async (count: number) => {
      for (let at = 0; at < count; at++) {
        await post(sandbox, '/reset', { slot_id: 'slot_0' })
        expect(await eventually(() => maxWaiting === 0 || insideOf(workspace).length > 0)).toBe(true)
      }
    }
    const open = () => readdirSync('/proc/self/fd').length
    await calls(4)
    const before = open()
    await calls(20)
    await resets(12)
    // One sandbox may wait, or be made now.
    expect(await eventually(() => open() < before + 10)).toBe(true)
  })
})
