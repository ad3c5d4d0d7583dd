import { describe, expect, test } from 'bun:test'
import { bash, eventually, processesWith, useSandboxes } from './support.ts'
import { batch, begun, cancel, command } from './v2-support.ts'

const openSandbox = useSandboxes()
const open = () => openSandbox({ slots: 2, isolation: 'none' })
const stateful = (id: string, text: string) => command(id, text, { tool: 'bash_stateful' })

describe('bash_stateful over the extended protocol', () => {
  test('keeps its state, and a call that comes again does not run again', async () => {
    const sandbox = await open()
    const count = stateful('n', 'n=$((n+1)); echo $n')
    expect((await batch(sandbox, [count]))[0]?.output).toBe('1')
    expect((await batch(sandbox, [count]))[0]).toMatchObject({ output: '1', metadata: { replayed: true } })
    expect((await batch(sandbox, [stateful('m', 'echo $n')]))[0]?.output).toBe('1')
  })

  test('can be cancelled: nothing of the command is left, and the slot is usable', async () => {
    const sandbox = await open()
    const marker = `stateful-${crypto.randomUUID()}`
    const answered = batch(sandbox, [stateful('a', `sh -c 'sleep 60; :' ${marker}`)])
    await begun(sandbox, 1)
    expect(await eventually(() => processesWith(marker).length > 0)).toBe(true)
    expect(await cancel(sandbox, ['a'])).toMatchObject({ cancelled: ['a'] })
    expect(processesWith(marker)).toEqual([])
    expect((await answered)[0]).toMatchObject({ success: false, metadata: { cancelled: true } })
    expect((await batch(sandbox, [stateful('b', 'echo next')]))[0]?.output).toBe('next')
  })
})

test('tmux over the extended protocol: keys that come again are not sent again', async () => {
  const sandbox = await open()
  const tmux = (id: string, args: object) => ({
    ...{ slot_id: 'slot_0', tool: 'tmux', args, execution_id: id, timeout: 20 },
  })
  const keys = tmux('keys', { action: 'send_keys', keys: ['echo x >> typed', 'Enter'], min_wait_s: 0.3 })
  await batch(sandbox, [tmux('start', { action: 'start' }), keys])
  const [again] = await batch(sandbox, [keys])
  expect(again?.metadata.replayed).toBe(true)
  expect((await bash(sandbox, 'cat typed')).output).toBe('x')
})
