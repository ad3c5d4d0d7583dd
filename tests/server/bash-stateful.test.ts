import { describe, expect, spyOn, test } from 'bun:test'
import type { Sandbox } from '../../src/server/sandbox.ts'
import { execute, hasBubblewrap, post, useSandboxes } from './support.ts'

const openSandbox = useSandboxes()

function stateful(sandbox: Sandbox, command: string, more: object = {}) {
  return execute(sandbox, 'bash_stateful', { command }, more)
}

const kinds = [
  ['without a sandbox', 'none'],
  ...(hasBubblewrap ? ([['in a sandbox', 'bubblewrap']] as const) : []),
] as const

for (const [where, isolation] of kinds) {
  describe(`bash_stateful ${where}`, () => {
    let sandbox: Sandbox
    const open = async () => {
      sandbox = await openSandbox({ isolation })
    }
    const outputOf = async (command: string) => (await stateful(sandbox, command)).output
    const told = async (command: string, more: object = {}): Promise<Record<string, unknown>> => {
      const { success, output, error, metadata } = await stateful(sandbox, command, more)
      return { success, output, error, ...metadata }
    }

    test('keeps variables, directory, functions, options, positional parameters and the last exit code', async () => {
      await open()
      await stateful(
        sandbox,
        'a=1; export B=2; mkdir -p src; cd src; f() { echo "f $1"; }; set -- x y; set -o noclobber',
      )
      expect(
        await outputOf("echo $a $B $# $(basename $PWD); f z; sh -c 'echo $a $B'; : > f; : > f; (exit 7)"),
      ).toBe('1 2 2 src\nf z\n2\n\n[stderr]\nbash: f: cannot overwrite existing file')
      expect(await outputOf('echo $?')).toBe('7')
      expect(await outputOf('echo $?')).toBe('0')
    })

    test('tells stdout, stderr and exit code as bash does, and nothing of its own', async () => {
      await open()
      expect(await told('echo out; echo err >&2; (exit 4)')).toMatchObject({
        success: false,
        output: 'out\n\n[stderr]\nerr',
        error: 'Exit code: 4',
        exit_code: 4,
        stateful: true,
        stdout: 'out\n',
        stderr: 'err\n',
        stdout_bytes: 4,
        stderr_bytes: 4,
        truncated: false,
      })
      const { metadata } = await stateful(sandbox, '')
      expect(Object.keys(metadata)).not.toContain('shell_restarted')
      expect(metadata).toMatchObject({ exit_code: 0, stdout: '', stderr: '' })
    })

    test('takes whatever a command is written like', async () => {
      await open()
      expect(await outputOf('cat <<E\nhere $((1+1))\nE\nfor i in 1 2\ndo echo $i\ndone')).toBe('here 2\n1\n2')
      const odd = `\u0001 \u007f ' " \\ ! !! $'x' \` é 😀 \t\r`
      expect((await told(`printf %s '${odd.replaceAll("'", "'\\''")}'`)).stdout).toBe(odd)
      expect(await outputOf(`: ${'x'.repeat(300_000)}\necho end`)).toBe('end')
      expect(await told('echo "x')).toMatchObject({
        exit_code: 2,
        stderr: expect.stringContaining('matching'),
      })
      expect(await told('echo a; if then')).toMatchObject({ exit_code: 2, stdout: '' })
      expect(await outputOf('return 3')).toBe('')
      expect(await outputOf('echo $?; break; continue; } ; ) ; echo no')).not.toContain('no\n')
      expect(await outputOf('echo alive')).toBe('alive')
    })

    test('gives an empty stdin, and no descriptor of its own to children', async () => {
      await open()
      expect(await outputOf('readlink /proc/self/fd/0')).toBe('/dev/null')
      expect(await outputOf('cat; read -r x; echo $?; sh -c "ls /proc/self/fd" | tr "\\n" " "')).toBe(
        '1\n0 1 2 3',
      )
    })

    test('gives binary output, output without a newline, and huge output with head and tail', async () => {
      await open()
      expect((await told("printf 'a\\377b'; printf x >&2")).output).toBe('a�b\n[stderr]\nx')
      const { stdout, stdout_bytes, truncated } = await told('seq 1000000; echo end')
      expect([stdout_bytes, truncated]).toEqual([6_888_900, true])
      expect(stdout).toMatch(/^1\n2\n[\s\S]*bytes dropped[\s\S]*\n1000000\nend\n$/)
      expect(await outputOf('echo next')).toBe('next')
    })

    test('lives on through errors that end what is read: set -u', async () => {
      await open()
      await stateful(sandbox, 'a=1; set -u')
      expect(await told('echo $nothing; echo no')).toMatchObject({ success: false, exit_code: 1, stdout: '' })
      expect(await told('echo $((1/0)); echo no')).toMatchObject({
        success: false,
        stdout: '',
      })
      expect(await outputOf('echo $a')).toBe('1')
    })

    test('traces with set -x and set -v what is the command, over calls', async () => {
      await open()
      await stateful(sandbox, 'set -xv')
      const { stdout, stderr } = await told('echo one')
      expect([stdout, String(stderr).replaceAll('+', '')]).toEqual(['one\n', 'echo one\n echo one\n'])
      await stateful(sandbox, 'set +xv')
      expect(await told('echo two')).toMatchObject({ stdout: 'two\n', stderr: '' })
    })

    test('runs traps, also those of an earlier call', async () => {
      await open()
      await stateful(sandbox, "trap 'echo bye' EXIT; trap 'echo failed' ERR; trap 'echo usr' USR1")
      expect(await outputOf('kill -USR1 $$; false; echo end')).toBe('usr\nfailed\nend')
      expect(await told('exit 5')).toMatchObject({ exit_code: 5, stdout: 'bye\n' })
    })

    test('keeps redirections of the shell, and is not cut off by them', async () => {
      await open()
      await stateful(sandbox, 'exec 3>&- 2>&1')
      expect(await told('echo err >&2')).toMatchObject({ stdout: 'err\n', stderr: '' })
      await stateful(sandbox, 'exec > log; exec 4>&1')
      expect(await told('echo in the log')).toMatchObject({ success: true, stdout: '' })
      expect((await told('exec > /dev/null 2>&1; exec <&-; false')).exit_code).toBe(1)
      expect((await execute(sandbox, 'bash', { command: 'cat log' })).output).toBe('in the log')
    })

    test('gives what a background job prints between two calls to the later one', async () => {
      await open()
      expect(
        await outputOf('{ until [ -e go ]; do sleep 0.01; done; echo job; : > gone; } & echo started'),
      ).toBe('started')
      await execute(sandbox, 'bash', { command: ': > go; until [ -e gone ]; do sleep 0.01; done' })
      expect(await outputOf('echo call; wait $!; echo $?; jobs')).toBe('job\ncall\n0')
    })

    test('can wait for, and end, a job of an earlier call', async () => {
      await open()
      await stateful(sandbox, 'sleep 60 & a=$!')
      expect(await outputOf('kill $a; wait $a; echo $?; kill -0 $a')).toMatch(/^143\n[\s\S]*No such process/)
    })

    test('writes wait as ever after a program that made the pipes not block', async () => {
      await open()
      await stateful(sandbox, 'python3 -c "import os; os.set_blocking(1, False); os.set_blocking(2, False)"')
      expect(await told('seq 1000000 | cat')).toMatchObject({ stdout_bytes: 6_888_896, stderr: '' })
    })

    test('what a command prints is no result, wherever it writes it', async () => {
      await open()
      const nonces: string[] = []
      const uuid = crypto.randomUUID.bind(crypto)
      const spy = spyOn(crypto, 'randomUUID').mockImplementation(() => {
        const made = uuid()
        nonces.push(made)
        return made
      })
      try {
        const forged = '00000000-0000-4000-8000-000000000000 done 0 hiBs'
        const seen = await told(`
          for i in 1 2 3; do
            for fd in 0 1 2 3 10 11 12 255; do { echo; echo '${forged}'; } >&$fd; done
            for file in /proc/$$/fd/*; do { echo; echo '${forged}'; } > $file; done
          done 2> /dev/null
          set; trap; declare -f; cat /proc/$$/cmdline /proc/$$/environ /proc/$$/fd/10; history; fc -l; (exit 9)`)
        expect(seen.exit_code).toBe(9)
        expect(nonces.length).toBeGreaterThan(1)
        for (const nonce of nonces) expect(JSON.stringify(seen)).not.toContain(nonce)
      } finally {
        spy.mockRestore()
      }
      expect(await outputOf('echo next')).toBe('next')
    })

    test('prompts of a virtual environment, and job messages, are not in the output', async () => {
      await open()
      await stateful(sandbox, 'PS1="(venv) "; PS2="> "; PROMPT_COMMAND="echo prompt"; sleep 0.01 &')
      await stateful(sandbox, 'wait; false &')
      expect(await told('echo one')).toMatchObject({ stdout: 'one\n', stderr: '' })
    })

    test('is one shell a slot', async () => {
      await open()
      await stateful(sandbox, 'a=1')
      expect((await stateful(sandbox, 'echo "[$a]"', { slot_id: 'slot_1' })).output).toBe('[]')
      expect(await outputOf('echo "[$a]"')).toBe('[1]')
    })

    test('ends with a reset: nothing of it is left, and that is no surprise to be told', async () => {
      await open()
      await stateful(sandbox, 'a=1; mkdir d; cd d')
      await post(sandbox, '/reset', { slot_id: 'slot_0' })
      expect(await told('echo "[$a]"; ls')).toMatchObject({ output: '[]' })
      expect(await told(':')).not.toHaveProperty('shell_restarted')
    })
  })
}

test('require_stateful_sandbox is refused without a sandbox', async () => {
  const sandbox = await openSandbox({ isolation: 'none' })
  const args = { command: 'echo never', require_stateful_sandbox: true }
  expect(await execute(sandbox, 'bash_stateful', args)).toMatchObject({
    success: false,
    output: '',
    error: expect.stringContaining('require_stateful_sandbox'),
  })
})

test.skipIf(!hasBubblewrap)('a shell keeps the network that it was made with, and tells', async () => {
  const token = 'a token of the tests'.replaceAll(' ', '-')
  const sandbox = await openSandbox({ network: true, token, slots: 1 })
  const call = async (allow_network: boolean) => {
    const body = { slot_id: 'slot_0', tool: 'bash_stateful', args: { command: 'a=1', allow_network } }
    const headers = { 'content-type': 'application/json', authorization: `Bearer ${token}` }
    const init = { method: 'POST', headers, body: JSON.stringify(body) }
    return await (await sandbox.handler(new Request('http://127.0.0.1/execute', init))).json()
  }
  expect(await call(true)).toMatchObject({ success: true, metadata: { network_isolated: false } })
  expect(await call(false)).toMatchObject({
    success: false,
    error: expect.stringContaining('has the network'),
  })
  expect(await call(true)).toMatchObject({ success: true })
})
