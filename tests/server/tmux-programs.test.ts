/** Programs that own the terminal, driven by keys and read as a screen; and the recording of each shows the same. */
import { afterEach, beforeEach, describe, expect, test } from 'bun:test'
import { createSandbox, type Sandbox } from '../../src/server/sandbox.ts'
import { bash, hasBubblewrap } from './support.ts'
import { recordingOf, replay, run, screen, tmux } from './terminal-support.ts'

const has = (program: string) => hasBubblewrap && Bun.which(program) !== null

describe.skipIf(!hasBubblewrap)('a terminal of 80 by 24', () => {
  let sandbox: Sandbox
  beforeEach(async () => {
    sandbox = await createSandbox({ slots: 1 })
    await tmux(sandbox, 'start', { pane_width: 80, pane_height: 24 })
  })
  afterEach(() => sandbox.stop())

  const lines = async () => (await screen(sandbox)).split('\n')
  const expectSameReplay = async () => {
    const recording = await recordingOf(sandbox)
    expect(await replay(recording)).toBe(await screen(sandbox))
    return recording
  }

  test.skipIf(!has('python3'))('python3: expressions, a block, an interrupt, its end', async () => {
    expect(await run(sandbox, ['python3 -q', 'Enter'])).toEndWith('\n>>>')
    expect(await run(sandbox, ['print("x" * 3, 6 * 7)', 'Enter'])).toEndWith('\nxxx 42\n>>>')
    const block = ['for i in range(2):', 'Enter', '    print("line", i)', 'Enter', 'Enter']
    expect(await run(sandbox, block)).toEndWith('\nline 0\nline 1\n>>>')
    // It computes, and then asks: what is waited for is the question.
    const asks = 'n = sum(range(3_000_000)); name = input("Who? ")'
    expect(await run(sandbox, [asks, 'Enter'])).toEndWith('\nWho?')
    await run(sandbox, ['Ada', 'Enter'])
    expect(await run(sandbox, ['name, n', 'Enter'])).toEndWith("\n('Ada', 4499998500000)\n>>>")
    await tmux(sandbox, 'send_keys', { keys: ['while True: pass', 'Enter', 'Enter'], min_wait_s: 0.2 })
    expect(await run(sandbox, ['C-c'])).toEndWith('\nKeyboardInterrupt\n>>>')
    // The line before the last is fetched, and edited in its middle.
    expect(await run(sandbox, ['1 + 1', 'Up', 'Up', 'Home', 'C-k', '"ed"', 'Left', 'it', 'Enter'])).toEndWith(
      "\n'edit'\n>>>",
    )
    expect(await run(sandbox, ['C-d'])).toEndWith('\n$')
    await expectSameReplay()
  })

  test.skipIf(!has('less'))('less: pages, a search, the end; and the shell is there as before', async () => {
    await run(sandbox, 'seq -f "row %g" 1 500 > rows')
    await run(sandbox, 'less rows')
    expect((await lines()).slice(0, 2)).toEqual(['row 1', 'row 2'])
    await run(sandbox, ['Space'])
    expect((await lines())[0]).toBe('row 24')
    await run(sandbox, ['PPage'])
    expect((await lines())[0]).toBe('row 1')
    await run(sandbox, ['Down', 'Down'])
    expect((await lines())[0]).toBe('row 3')
    await run(sandbox, ['/row 321', 'Enter'])
    expect((await lines())[0]).toBe('row 321')
    await run(sandbox, ['G'])
    expect((await lines()).slice(22)).toEqual(['row 500', '(END)', ''])
    await expectSameReplay()
    expect(await run(sandbox, ['q'])).toBe('$ seq -f "row %g" 1 500 > rows\n$ less rows\n$')
    await expectSameReplay()
  })

  test.skipIf(!has('nano'))('nano: text is written, moved in, searched, saved', async () => {
    await run(sandbox, 'nano -I notes.txt')
    expect((await lines())[0]).toMatch(/GNU nano .* notes\.txt/)
    await run(sandbox, ['first line', 'Enter', 'second 日本 line', 'Enter', 'third', 'Up', 'Home', '> '])
    expect((await lines()).slice(1, 5)).toEqual(['first line', '> second 日本 line', 'third', ''])
    await run(sandbox, ['C-w', 'third', 'Enter', 'C-k'])
    await run(sandbox, ['C-Home', 'DC', 'F', 'C-o'])
    expect(await screen(sandbox)).toContain('File Name to Write: notes.txt')
    await run(sandbox, ['Enter'])
    expect(await screen(sandbox)).toMatch(/\[ Wrote \d+ lines? \]/)
    await expectSameReplay()
    await run(sandbox, ['C-x'])
    expect((await bash(sandbox, 'cat notes.txt')).output).toBe('First line\n> second 日本 line')
    await expectSameReplay()
  })

  test.skipIf(!has('vi'))('vi: modes, another size in the middle of it, a shell command, saved', async () => {
    await run(sandbox, ['vi -u NONE notes.txt', 'Enter'])
    await run(sandbox, ['iHello', 'Enter', 'wide 日本 text', 'Escape'])
    expect((await lines()).slice(0, 3)).toEqual(['Hello', 'wide 日本 text', '~'])
    const small = await tmux(sandbox, 'start', { pane_width: 40, pane_height: 10 })
    expect(small.metadata).toMatchObject({ pane_width: 40, pane_height: 10 })
    await run(sandbox, ['gg', 'ddp', 'A', '!', 'Escape'])
    const shown = await lines()
    expect(shown.slice(0, 3)).toEqual(['wide 日本 text', 'Hello!', '~'])
    expect(shown).toHaveLength(11)
    await expectSameReplay()
    expect(await run(sandbox, [':!sleep 0.4; echo from the shell', 'Enter'])).toContain('\nfrom the shell\n')
    await run(sandbox, ['Enter'])
    await run(sandbox, [':wq', 'Enter'])
    expect((await bash(sandbox, 'cat notes.txt')).output).toBe('wide 日本 text\nHello!')
    await expectSameReplay()
  })

  test('a recording is read in parts of whole lines, whatever they hold', async () => {
    await run(sandbox, ['echo 日本語 😀 "é $(printf "\\e[31mred\\e[m \\xff")"', 'Enter'])
    const allBytes = 'for i in {0..255}; do printf -v hex %x $((i * m % 256)); printf "\\x$hex"; done'
    await run(
      sandbox,
      `for m in 1 7 31 97; do ${allBytes}; done; head -c 9000 /dev/zero; tput reset; echo done`,
    )
    const whole = await expectSameReplay()
    for (const maxBytes of [20_000, 120_000]) expect(await recordingOf(sandbox, maxBytes)).toBe(whole)
    expect((await tmux(sandbox, 'stream')).output).toBe('')
    await tmux(sandbox, 'start')
    expect((await tmux(sandbox, 'stream')).output).toStartWith('{"version":2,"width":80,"height":24,')
    const tooFew = await tmux(sandbox, 'stream', { reset: true, max_bytes: 10 })
    expect(tooFew.error).toMatch(/^max_bytes 10 is too few: the next line has \d+ bytes$/)
  })

  test('a recording that is full goes on with a picture: who read it all before sees the same screen', async () => {
    const before = await recordingOf(sandbox)
    await run(sandbox, 'yes "$(printf "%070d" 0)" | head -n 40000; echo the end of it')
    const answers: string[] = []
    let dropped: unknown
    for (;;) {
      const { output, metadata } = await tmux(sandbox, 'stream')
      dropped ??= metadata.dropped_bytes
      if (output === '') break
      answers.push(output)
    }
    expect(dropped).toBeGreaterThan(0)
    expect(await replay(before + answers.join(''))).toBe(await screen(sandbox))
    await expectSameReplay()
  })
})
