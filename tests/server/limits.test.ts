import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { limitsScript } from '../../src/server/sandbox/inside.ts'
import { createSandbox, type Sandbox } from '../../src/server/sandbox.ts'
import { baseUrl, bash, hasBubblewrap } from './support.ts'

const MiB = 2 ** 20

test('limits are hard, and count as the shell counts', () => {
  const limits = { processes: 64, memoryBytes: 256 * MiB, fileBytes: 8 * MiB, openFiles: 100 }
  // `ulimit` without -S or -H sets both.
  expect(limitsScript(limits)).toBe('ulimit -c 0 -u 64 -v 262144 -f 8192 -n 100 || exit 125')
})

describe.skipIf(!hasBubblewrap)('a bomb', () => {
  let sandbox: Sandbox
  beforeAll(async () => {
    sandbox = await createSandbox({
      slots: 2,
      limits: {
        tmpBytes: 4 * MiB,
        processes: 64,
        memoryBytes: 256 * MiB,
        fileBytes: 8 * MiB,
        openFiles: 100,
      },
    })
  })
  afterAll(() => sandbox.stop())

  /** The server answers while it goes off, its slot and the one beside it are usable. */
  const expectRecovered = async () => {
    const answers = await Promise.all(
      ['slot_0', 'slot_1'].map((slot_id) => bash(sandbox, '/bin/echo usable', { slot_id })),
    )
    expect(answers.map(({ output }) => output)).toEqual(['usable', 'usable'])
  }

  test('of processes', async () => {
    const bomb = bash(sandbox, 'b() { b | b & }; b; sleep 60', { timeout: 1 })
    const health = await sandbox.handler(new Request(`${baseUrl}/health`))
    expect(await health.json()).toMatchObject({ status: 'ok' })
    const beside = await bash(sandbox, '/bin/echo beside', { slot_id: 'slot_1' })
    expect(beside.output).toBe('beside')
    expect((await bomb).metadata.timeout).toBe(true)
    await expectRecovered()
  })

  test('of processes has as many as it may, and no more', async () => {
    const { output } = await bash(
      sandbox,
      `/usr/bin/python3 - <<'END'
import os, signal
n = 0
try:
    while n < 500:
        if os.fork() == 0: signal.pause()
        n += 1
except OSError as e: print(e.strerror, 50 < n < 64)
END`,
    )
    expect(output).toBe('Resource temporarily unavailable True')
    await expectRecovered()
  })

  test('of memory', async () => {
    const { output } = await bash(sandbox, '/usr/bin/python3 -c "x = bytearray(1 << 30)"')
    expect(output).toEndWith('MemoryError')
    await expectRecovered()
  })

  test('of disk: one file', async () => {
    const { success } = await bash(sandbox, 'head -c 100000000 /dev/zero > big')
    expect(success).toBe(false)
    expect((await bash(sandbox, 'stat -c %s big; rm big')).output).toBe(String(8 * MiB))
    await expectRecovered()
  })

  test.each(['/tmp', '/dev/shm'])('of %s', async (path) => {
    const { output } = await bash(sandbox, `head -c 7000000 /dev/zero > ${path}/big; stat -c %s ${path}/big`)
    expect(output).toContain('No space left on device')
    expect(output.split('\n')[0]).toBe(String(4 * MiB))
    await expectRecovered()
  })

  test('of open files', async () => {
    const { output } = await bash(
      sandbox,
      '/usr/bin/python3 -c "x = [open(\'/dev/null\') for _ in range(200)]"',
    )
    expect(output).toContain('Too many open files')
  })

  test('cannot raise its limits, nor come out of the way of the out-of-memory killer for the server', async () => {
    const { output } = await bash(
      sandbox,
      'for l in u v f n; do ulimit -H$l unlimited 2> /dev/null && echo raised $l; done; cat /proc/self/oom_score_adj',
    )
    expect(output).toBe('1000')
  })
})
