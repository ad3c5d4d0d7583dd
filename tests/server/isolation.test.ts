import { describe, expect, test } from 'bun:test'
import type { Sandbox } from '../../src/server/sandbox.ts'
import { bash, execute, hasBubblewrap, slotWorkspace, useSandboxes } from './support.ts'

const openSandbox = useSandboxes()

describe.skipIf(!hasBubblewrap)('a sandbox', () => {
  let sandbox: Sandbox
  const withSandbox = async () => {
    sandbox = await openSandbox()
  }

  describe('shows nothing of the machine', () => {
    test('no variable of the server', async () => {
      process.env.SANDBOX_SLOTS_SECRET = 'hunter2'
      await withSandbox()
      const { output } = await bash(
        sandbox,
        'env | cut -d= -f1 | sort | tr "\\n" " "; cat /proc/*/environ | tr -d "\\0"',
      )
      delete process.env.SANDBOX_SLOTS_SECRET
      expect(output).not.toContain('hunter2')
      expect(output).toStartWith('HOME LANG LOGNAME PATH PWD SHELL SHLVL TERM TMPDIR USER _')
    })

    test('no other slot, no data directory, no file of the host', async () => {
      await withSandbox()
      const other = await slotWorkspace(sandbox, 1)
      await execute(sandbox, 'write_file', { path: 'secret', content: 'hunter2' }, { slot_id: 'slot_1' })
      const { output } = await bash(
        sandbox,
        `ls ${other} ${other}/.. /root /home /etc/shadow /var /work 2>&1 | grep -v "No such file"; ls /; ls /tmp; find / -path /usr -prune -o -path /proc -prune -o -name secret -print`,
      )
      expect(output).not.toContain('secret')
      expect(output.split('\n')).toEqual([
        'bin',
        'dev',
        'etc',
        'lib',
        ...(await extraLibs()),
        'proc',
        'sbin',
        'tmp',
        'usr',
        'workspace',
      ])
    })

    test('no network, whatever is asked for', async () => {
      await withSandbox()
      const server = Bun.serve({ port: 0, hostname: '127.0.0.1', fetch: () => new Response('reached') })
      try {
        const command = `cat < /dev/tcp/127.0.0.1/${server.port}`
        const { success, output, metadata } = await execute(sandbox, 'bash', { command, allow_network: true })
        expect(success).toBe(false)
        expect(output).toContain('Connection refused')
        expect(metadata.network_isolated).toBe(true)
      } finally {
        await server.stop(true)
      }
    })

    test('nothing can be written but the workspace, /tmp and /dev/shm', async () => {
      await withSandbox()
      const { output } = await bash(
        sandbox,
        'for d in / /usr /bin /etc /dev /proc /workspace /tmp /dev/shm; do touch $d/x 2>/dev/null && echo $d; done',
      )
      expect(output.split('\n')).toEqual(['/workspace', '/tmp', '/dev/shm'])
      const { output: later } = await bash(sandbox, 'ls /tmp /dev/shm | grep x')
      expect(later).toBe('')
    })

    test('no capability', async () => {
      await withSandbox()
      const { output } = await bash(
        sandbox,
        'grep -E "Cap(Inh|Prm|Eff|Amb)" /proc/self/status | cut -f2 | sort -u; id -u',
      )
      expect(output).toBe('0000000000000000\n1000')
    })
  })
})

/** Libraries of other word sizes, where the system has them. */
async function extraLibs(): Promise<string[]> {
  const listed = await Bun.$`ls /`.text()
  return listed.split('\n').filter((name) => /^lib.+/.test(name))
}
