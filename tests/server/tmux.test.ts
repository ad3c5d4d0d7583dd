import { afterAll, beforeAll, describe, expect, spyOn, test } from 'bun:test'
import { renameSync } from 'node:fs'
import { createSandbox, type Sandbox } from '../../src/server/sandbox.ts'
import { Screen } from '../../src/server/terminal/screen.ts'
import {
  baseUrl,
  bash,
  eventually,
  hasBubblewrap,
  post,
  processesWith,
  slotWorkspace,
  useSandboxes,
} from './support.ts'
import { recordingOf, replay, run, screen, tmux } from './terminal-support.ts'
import { batch, begun, cancel } from './v2-support.ts'

const newSandbox = useSandboxes()

const lastLine = (text: string) => text.trimEnd().split('\n').at(-1)

describe.skipIf(!hasBubblewrap)('one terminal for many calls', () => {
  let sandbox: Sandbox
  beforeAll(async () => {
    sandbox = await createSandbox({ slots: 1 })
  })
  afterAll(() => sandbox.stop())

  test('it starts by itself, of 120 by 40', async () => {
    expect(await run(sandbox, 'tput cols; tput lines')).toBe('$ tput cols; tput lines\n120\n40\n$')
  })

  test('it is in a sandbox, with the limits of a call, and the shell controls the terminal', async () => {
    const probes = ['id -u', 'pwd', 'ulimit -u', 'echo $TERM', 'cat /proc/1/comm', 'test -t 0 && echo tty']
    await run(sandbox, ['clear', 'Enter'])
    expect(await run(sandbox, `${probes.join('; ')}; ls /home /root; ps -o tpgid= -p $$`)).toMatch(
      /\n1000\n\/workspace\n256\nxterm-256color\nsh\ntty\n.*\/home.*\n.*\/root.*\n +\d+\n\$$/,
    )
  })

  test('nothing is open but the terminal, and no history is kept', async () => {
    await run(sandbox, ['clear', 'Enter'])
    expect(await run(sandbox, 'readlink /proc/$$/fd/* | sort -u; echo "$HISTFILE."')).toMatch(
      /\n\/dev\/pts\/\d+\n\.\n\$$/,
    )
  })

  test('the shell keeps its state, Ctrl-C, Ctrl-Z and jobs work', async () => {
    await run(sandbox, ['clear', 'Enter'])
    await run(sandbox, 'x=5')
    await tmux(sandbox, 'send_keys', { keys: ['sleep 1000', 'Enter'], min_wait_s: 0.2 })
    await run(sandbox, ['C-c'])
    expect(lastLine(await run(sandbox, 'echo $? $x'))).toBe('$')
    expect(await screen(sandbox)).toContain('\n130 5\n')
    await tmux(sandbox, 'send_keys', { keys: ['sleep 1000', 'Enter'], min_wait_s: 0.2 })
    await run(sandbox, ['C-z'])
    expect(await run(sandbox, 'jobs; kill %1; fg; echo back')).toMatch(
      /Stopped +sleep 1000[\s\S]*\nback\n\$$/,
    )
  })

  test('Enter follows a command that is waited for, when it is not there, and nothing else', async () => {
    await run(sandbox, ['clear', 'Enter'])
    expect(await run(sandbox, ['echo one', 'Enter'])).toBe('$ echo one\none\n$')
    expect(await run(sandbox, 'echo two\n')).toEndWith('\n$ echo two\ntwo\n$')
    await run(sandbox, ['cat', 'Enter'])
    expect(await run(sandbox, 'typed')).toEndWith('\n$ cat\ntyped')
    await run(sandbox, ['C-c'])
  })

  test('block waits for a prompt: of the shell, of `read`, of another shell, of a password', async () => {
    await run(sandbox, ['clear', 'Enter'])
    expect(lastLine(await run(sandbox, 'sleep 0.6; echo slept'))).toBe('$')
    expect(lastLine(await run(sandbox, 'read -p "Continue? [y/N] " answer'))).toBe('Continue? [y/N]')
    expect(lastLine(await run(sandbox, 'y'))).toBe('$')
    await run(sandbox, 'sh')
    expect(await run(sandbox, ['echo in sh', 'Enter'])).toEndWith('\nin sh\n$')
    await run(sandbox, ['C-d'])
    await run(sandbox, 'read -s secret')
    await run(sandbox, ['hidden', 'Enter'])
    expect(await run(sandbox, 'echo "$answer" "$secret" | tr a-z A-Z')).toEndWith('\nY HIDDEN\n$')
    expect(await screen(sandbox)).not.toContain('hidden')
  })

  test('block tells that its time is over, and the terminal lives on', async () => {
    const over = await tmux(sandbox, 'send_keys', {
      keys: 'sleep 1000',
      block: true,
      max_wait_s: 0.3,
    })
    expect(over).toMatchObject({ success: false, error: 'tmux blocked keys timed out after 0.3s' })
    expect(over.metadata).toEqual({ stateful: true, blocked: true })
    const late = await tmux(sandbox, 'send_keys', { keys: [], block: true }, { timeout: 0.3 })
    expect(late).toMatchObject({ success: false, metadata: { timeout: true } })
    await run(sandbox, ['C-c'])
    expect(lastLine(await run(sandbox, 'true'))).toBe('$')
  })

  test('a wait that is longer than the call is refused before anything is typed', async () => {
    const refused = await tmux(sandbox, 'send_keys', { keys: 'NEVER', min_wait_s: 60 }, { timeout: 5 })
    expect(refused.error).toBe('Cannot wait 60.0s: the call has 5.0s. Nothing was typed.')
    expect(await screen(sandbox)).not.toContain('NEVER')
  })

  test('the scrollback is there when it is asked for; a long one loses its first lines', async () => {
    await run(sandbox, ['clear', 'Enter'])
    await run(sandbox, 'seq -f "line %g" 1 100')
    expect(await screen(sandbox)).not.toContain('line 5\n')
    const entire = await tmux(sandbox, 'capture', { capture_entire: true })
    expect(entire.output).toContain('\nline 1\nline 2\n')
    expect(entire.metadata).toEqual({ stateful: true, capture_entire: true })
    await run(sandbox, 'yes "$(printf "%0100d" 0)" | head -n 1500; echo the end')
    const long = await tmux(sandbox, 'capture', { capture_entire: true })
    expect(long.output).toMatch(/^\.\.\. \(output truncated: \d+ lines above\)\n0{100}\n/)
    expect(long.output.trimEnd()).toEndWith('\nthe end\n$')
    expect(long.metadata).toMatchObject({ truncated: true })
  })

  test('a second start keeps the shell, and gives it another size', async () => {
    await run(sandbox, 'kept=yes')
    const started = await tmux(sandbox, 'start', { pane_width: 60, pane_height: 12 })
    expect(started.metadata).toEqual({ stateful: true, pane_width: 60, pane_height: 12 })
    await run(sandbox, ['clear', 'Enter'])
    expect(await run(sandbox, 'echo $kept $COLUMNS; tput cols; tput lines')).toEndWith('\nyes 60\n60\n12\n$')
    expect((await screen(sandbox)).split('\n')).toHaveLength(13)
  })

  test('wide characters are where the program put them', async () => {
    await run(sandbox, ['clear', 'Enter'])
    expect(await run(sandbox, ['echo 日本語 😀 é', 'Enter'])).toBe('$ echo 日本語 😀 é\n日本語 😀 é\n$')
    // The shell counts columns as the screen does: it edits in the middle of the line.
    expect(await run(sandbox, ['echo 😀日x', 'Left', 'BSpace', '本', 'Enter'])).toEndWith('\n😀本x\n$')
  })

  test('the workspace is that of the other tools, and nothing is left in it', async () => {
    await run(sandbox, 'echo from the terminal > file')
    expect((await bash(sandbox, 'cat file; rm file; ls -A')).output).toBe('from the terminal')
  })
})

describe.skipIf(!hasBubblewrap)('the life of a terminal', () => {
  test('stop needs no start; a screen is asked for, and there it is', async () => {
    const sandbox = await newSandbox()
    expect(await tmux(sandbox, 'stop')).toMatchObject({ output: 'stopped', metadata: { stateful: true } })
    expect(await screen(sandbox)).toBe(`$\n${'\n'.repeat(39)}`)
    expect(await screen(sandbox)).toBe(`$\n${'\n'.repeat(39)}`)
  })

  test('stop, reset and the end of the server kill all that runs in it', async () => {
    const sandbox = await newSandbox()
    const marker = (end: string) => `terminal-${process.pid}-${end}`
    const begin = async (end: string) => {
      await run(
        sandbox,
        `M=${marker(end)} nohup setsid sleep 1000 > /dev/null 2>&1 & M=${marker(end)} sleep 1000 &`,
      )
      expect(await eventually(() => processesWith(marker(end)).length === 2)).toBe(true)
    }
    await begin('stop')
    await tmux(sandbox, 'stop')
    expect(processesWith(marker('stop'))).toEqual([])

    await begin('reset')
    await post(sandbox, '/reset', { slot_id: 'slot_0' })
    expect(processesWith(marker('reset'))).toEqual([])
    expect(await screen(sandbox)).not.toContain(marker('reset'))

    await begin('server')
    await sandbox.stop()
    expect(processesWith(marker('server'))).toEqual([])
  })

  test('the screen of a shell that ended stays, and tells its exit code; keys are refused', async () => {
    const sandbox = await newSandbox()
    const sent = await tmux(sandbox, 'send_keys', { keys: 'echo last words; exit 3', block: true })
    expect(sent).toMatchObject({ success: true, metadata: { exit_code: 3 } })
    const dead = await tmux(sandbox, 'capture')
    expect(dead.output).toContain('\nlast words\n')
    expect(dead.metadata).toEqual({ stateful: true, capture_entire: false, exit_code: 3 })
    expect((await tmux(sandbox, 'stream')).output).toContain('last words')
    expect(await tmux(sandbox, 'send_keys', { keys: 'x' })).toMatchObject({
      success: false,
      error: "Cannot send keys: the terminal's shell ended with exit code 3. Start it again.",
      metadata: { stateful: true, exit_code: 3 },
    })
    expect(await tmux(sandbox, 'start')).toMatchObject({ success: true, output: 'started' })
    expect(await screen(sandbox)).toBe(`$\n${'\n'.repeat(39)}`)
  })

  test('a sandbox that cannot be had is told as that, in the words of who knows why', async () => {
    const sandbox = await newSandbox()
    const workspace = await slotWorkspace(sandbox)
    renameSync(workspace, `${workspace}-away`)
    const args = { action: 'start' }
    const response = await post(sandbox, '/execute', { slot_id: 'slot_0', tool: 'tmux', args })
    expect(await response.json()).toMatchObject({
      success: false,
      code: 'sandbox_failed',
      error: expect.stringMatching(/^Terminal failed to start: bwrap: .*No such file or directory/),
    })
    renameSync(`${workspace}-away`, workspace)
    expect((await tmux(sandbox, 'start')).success).toBe(true)
  })

  test('slots have terminals of their own', async () => {
    const sandbox = await newSandbox()
    const other = { slot_id: 'slot_1' }
    await Promise.all([run(sandbox, 'x=zero'), run(sandbox, 'x=one', other)])
    expect(await run(sandbox, 'echo $x')).toContain('\nzero\n')
    expect(await run(sandbox, 'echo $x', other)).toContain('\none\n')
  })

  test('a terminal that prints without end is shown, interrupted and stopped, and the server answers', async () => {
    const sandbox = await newSandbox()
    await tmux(sandbox, 'send_keys', { keys: ['yes flood', 'Enter'], min_wait_s: 0.5 })
    expect(await screen(sandbox)).toContain('flood\nflood\n')
    await run(sandbox, ['C-c'])
    expect(lastLine(await run(sandbox, 'echo calm'))).toBe('$')
    await tmux(sandbox, 'send_keys', { keys: ['yes flood', 'Enter'], min_wait_s: 0.2 })
    expect((await tmux(sandbox, 'stop')).output).toBe('stopped')
  })

  test('a program cannot let its output go on that the server holds back', async () => {
    const sandbox = await newSandbox()
    const free = 'import termios; termios.tcflow(1, termios.TCOON)'
    expect(await run(sandbox, `python3 -c '${free}'`)).toContain('Operation not permitted')
  })

  test('an error of the emulator costs the screen, not the terminal', async () => {
    const sandbox = await newSandbox()
    await run(sandbox, 'x=kept; echo before')
    const draw = spyOn(Screen.prototype, 'draw').mockImplementation(() => {
      draw.mockRestore()
      return Promise.reject(new Error('an error of the emulator'))
    })
    await run(sandbox, 'echo after')
    expect(await run(sandbox, 'echo $x')).toEndWith('kept\n$')
    expect(await screen(sandbox)).not.toContain('before')
    expect(await replay(await recordingOf(sandbox))).toBe(await screen(sandbox))
  })

  test('a wait is given up when its call is cancelled, and the terminal lives on', async () => {
    const sandbox = await newSandbox()
    await tmux(sandbox, 'start')
    const args = { action: 'send_keys', keys: 'sleep 1000', block: true }
    const call = { slot_id: 'slot_0', tool: 'tmux', args, execution_id: 'waits', timeout: 20 }
    const answered = batch(sandbox, [call])
    await begun(sandbox, 1)
    expect(await cancel(sandbox, ['waits'])).toMatchObject({ cancelled: ['waits'] })
    const [result] = await answered
    expect(result).toMatchObject({
      success: false,
      error: 'The keys were sent, their effect was not awaited: the call was cancelled',
      metadata: { stateful: true, cancelled: true },
    })
    // The call may be given up before the shell has shown what was typed.
    expect(await run(sandbox, ['C-c'])).toMatch(/\^C\n\$/)
  })

  test('the end of the server ends a wait, and says so', async () => {
    const sandbox = await newSandbox()
    await tmux(sandbox, 'start')
    const waiting = tmux(sandbox, 'send_keys', { keys: 'sleep 1000', min_wait_s: 15 })
    await begun(sandbox, 1)
    await sandbox.stop()
    expect(await waiting).toMatchObject({
      success: false,
      error: 'The keys were sent, their effect was not awaited: the server stops',
    })
  })

  test('a terminal that runs keeps its network, or the lack of it', async () => {
    const token = 'a token of this test'.replaceAll(' ', '-')
    const sandbox = await newSandbox({ network: true, token })
    const start = async (allow_network: boolean) => {
      const body = JSON.stringify({
        slot_id: 'slot_0',
        tool: 'tmux',
        args: { action: 'start', allow_network },
      })
      const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' }
      const request = new Request(`${baseUrl}/execute`, { method: 'POST', headers, body })
      return (await sandbox.handler(request)).json()
    }
    expect(await start(false)).toMatchObject({ success: true })
    expect(await start(false)).toMatchObject({ success: true })
    expect(await start(true)).toMatchObject({
      success: false,
      error: 'Cannot change the network of a terminal that runs: stop it first',
    })
  })

  test('keys that nobody reads are bounded', async () => {
    const sandbox = await newSandbox()
    await run(sandbox, 'stty -icanon -echo')
    await tmux(sandbox, 'send_keys', { keys: ['sleep 1000', 'Enter'], min_wait_s: 0.2 })
    const keys = 'x'.repeat(600_000)
    expect((await tmux(sandbox, 'send_keys', { keys })).success).toBe(true)
    expect(await tmux(sandbox, 'send_keys', { keys })).toMatchObject({
      success: false,
      error: 'Cannot send keys: 1 MiB of keys waits already, and the program does not read them',
    })
  })

  test('what is wrong in the arguments is named', async () => {
    const sandbox = await newSandbox()
    const cases: [object, string][] = [
      [{ action: 'send_keys' }, 'args.keys must be a string or an array of strings'],
      [{ action: 'send_keys', keys: 5 }, 'args.keys must be a string or an array of strings'],
      [
        { action: 'send_keys', keys: ['a', 'C-Enter'] },
        'args.keys has a key that no terminal can send: C-Enter',
      ],
      [
        { action: 'send_keys', keys: 'a', min_wait_s: -1 },
        'args.min_wait_s must be a number of seconds, 0 or more',
      ],
      [{ action: 'start', pane_width: 19 }, 'args.pane_width must be an integer from 20 to 500'],
      [{ action: 'start', pane_height: 201 }, 'args.pane_height must be an integer from 10 to 200'],
      [{ action: 'stream', max_bytes: 0 }, 'args.max_bytes must be an integer from 1 to 200000'],
      [{ action: 'capture', capture_entire: 'yes' }, 'args.capture_entire must be true or false'],
    ]
    for (const [args, error] of cases) {
      const response = await post(sandbox, '/execute', { slot_id: 'slot_0', tool: 'tmux', args })
      expect([response.status, await response.json()]).toEqual([400, { success: false, error }])
    }
  })
})

test('without a sandbox it works too, when none is asked for', async () => {
  const sandbox = await newSandbox({ isolation: 'none' })
  const refused = await tmux(sandbox, 'start', { require_stateful_sandbox: true })
  expect(refused.error).toContain('this server runs without a sandbox')
  const marker = `terminal-none-${process.pid}`
  await run(sandbox, `M=${marker} sleep 1000 & M=${marker} sleep 1000 &`)
  expect(await run(sandbox, 'pwd')).toContain(await slotWorkspace(sandbox))
  expect(processesWith(marker)).toHaveLength(2)
  await tmux(sandbox, 'stop')
  expect(processesWith(marker)).toEqual([])
})
