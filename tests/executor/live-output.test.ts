/** Output as it is printed, and the arguments that base servers do not know. */
import { describe, expect, test } from 'bun:test'
import { extendedHealth, streamTo } from '../support/answer-stream.ts'
import { type Scripted, scripted, settled } from '../support/scripted-container.ts'
import { the } from '../support/the.ts'

function extended(health: object = {}): Scripted {
  const script = scripted()
  script.health = () => extendedHealth(health)
  return script
}

describe('live output', () => {
  test('reaches its listener before the result; the item asks for it, others do not', async () => {
    await using script = extended()
    const [a, b] = script.executor.slots('one:1', 2)
    const heard: string[] = []
    const running = a.bash('x', {
      onStdout: (text) => heard.push(`out ${text}`),
      onStderr: (text) => heard.push(`err ${text}`),
    })
    const other = the(b).bash('x')
    await settled()
    const { calls } = the(script.posts[0])
    expect(calls.map((call) => call.live)).toEqual([true, undefined])
    const stream = streamTo(script.posts[0])
    stream.live(calls[0], 'stdout', 'one', 0)
    stream.live(calls[0], 'stderr', 'two', 0)
    await settled()
    expect(heard).toEqual(['out one', 'err two'])
    stream.live(calls[0], 'stdout', ' three', 3)
    stream.result(calls[0])
    stream.result(calls[1])
    stream.done(2)
    await running
    expect(heard).toEqual(['out one', 'err two', 'out  three'])
    expect((await other).outcome).toBe('exited')
  })

  test('is told once, also when it was cut and is told again from the start', async () => {
    await using script = extended()
    let heard = ''
    const running = script.executor.slots('one:1', 1)[0].bash('x', {
      onStdout: (text) => {
        heard += text
      },
    })
    await settled()
    const first = streamTo(script.posts[0])
    first.live(script.posts[0]?.calls[0], 'stdout', '\uFFFD', 0)
    first.live(script.posts[0]?.calls[0], 'stdout', '1', 1)
    await settled()
    expect(heard).toBe('\uFFFD1')
    first.cut()
    await settled()
    script.clock.increment(1_250)
    await settled()
    const second = streamTo(script.posts[1])
    second.live(script.posts[1]?.calls[0], 'stdout', '\uFFFD', 0)
    second.live(script.posts[1]?.calls[0], 'stdout', '1', 1)
    second.live(script.posts[1]?.calls[0], 'stdout', '€2', 2)
    second.live(script.posts[1]?.calls[0], 'stdout', '3', 100)
    second.result(script.posts[1]?.calls[0])
    second.done(1)
    await running
    expect(heard).toBe('\uFFFD1€23')
  })

  test('a listener may also listen to execute; it is checked', async () => {
    await using script = extended()
    script.automatic()
    const [slot] = script.executor.slots('one:1', 1)
    const onStdout = () => {}
    await script.executor.execute(slot, 'bash', { command: 'x' }, { onStdout })
    expect(script.posts[0]?.calls[0]?.live).toBe(true)
    const wrong = 'loud' as unknown as () => void
    expect(
      script.executor.execute(slot, 'bash', { command: 'x' }, { onStdout: wrong }),
    ).rejects.toMatchObject({
      field: 'onStdout',
    })
  })
})

describe('what a base server would pass over in silence is not-run, unsupported', () => {
  const asks = {
    stdin: { stdin: 'text' },
    env: { env: { A: 'b' } },
    cwd: { cwd: 'sub' },
    onStdout: { onStdout: () => {} },
    onStderr: { onStderr: () => {} },
  }
  test.each(Object.entries(asks))('%s', async (name, options) => {
    await using script = scripted()
    script.automatic()
    const [slot] = script.executor.slots('one:1', 1)
    const result = await slot.bash('x', options)
    const feature = name.startsWith('on') ? 'live-output' : 'bash-io'
    expect(result).toMatchObject({ outcome: 'not-run', failure: { code: 'unsupported', attempts: 0 } })
    expect(result.error).toContain(`it needs ${feature}, which the server does not have`)
    expect([script.posts.length, slot.state]).toEqual([0, 'idle'])
    expect((await slot.bash('y')).success).toBe(true)
  })

  test('and is sent to one that has the feature', async () => {
    await using script = extended()
    script.automatic()
    const [slot] = script.executor.slots('one:1', 1)
    const args = { stdin: '', env: { A: 'b' }, cwd: 'sub' }
    expect((await slot.bash('x', args)).outcome).toBe('exited')
    expect(script.posts[0]?.calls[0]?.args).toEqual({ command: 'x', ...args })
  })
})
