/** Types: the arguments of a tool are known by its name. Nothing here runs: tsc judges it, as part of `npm run check`. */
import type { BatchItem, ExecutionResult, Lease, SandboxExecutor, Slot, SlotPool } from 'sandbox-slots'
import { holds, type Same } from './same.ts'

export function execute(executor: SandboxExecutor, slot: Slot, name: string): void {
  const result = executor.execute(slot, 'bash', { command: 'true', cwd: 'a', env: { A: 'b' }, stdin: '' })
  holds<Same<typeof result, Promise<ExecutionResult>>>()
  executor.execute(slot, 'write_file', { path: 'a', content: '' })
  executor.execute(slot, 'tmux', { action: 'send_keys', keys: ['Enter'], block: true })
  executor.execute(slot, 'my_tool', { anything: [1] })
  executor.execute(slot, name, {})

  // @ts-expect-error A command is a text.
  executor.execute(slot, 'bash', { command: 1 })
  // @ts-expect-error There must be one.
  executor.execute(slot, 'bash', {})
  // @ts-expect-error It has another name.
  executor.execute(slot, 'bash', { command: 'true', workdir: 'a' })
  // @ts-expect-error A file is written with its content.
  executor.execute(slot, 'write_file', { path: 'a' })
  // @ts-expect-error A terminal has no such action.
  executor.execute(slot, 'tmux', { action: 'type' })
  // @ts-expect-error Keys belong to `send_keys`.
  executor.execute(slot, 'tmux', { action: 'stop', keys: 'a' })
  // @ts-expect-error Arguments have names.
  executor.execute(slot, 'my_tool', 'argument')
  // @ts-expect-error A slot is made by `executor.slot`.
  executor.execute({ slotId: 'slot_0', containerAddr: 'http://127.0.0.1' }, 'bash', { command: 'true' })
}

export function batch(executor: SandboxExecutor, slot: Slot, slots: readonly Slot[], name: string): void {
  const results = executor.executeBatch([
    [slot, 'bash', { command: 'true' }],
    [slot, 'my_tool', { anything: 1 }],
    { slot, tool: 'read_file', args: { path: 'a' }, executionId: 'a', timeoutMs: 1 },
  ])
  holds<Same<typeof results, Promise<ExecutionResult[]>>>()
  executor.executeBatch([])
  executor.executeBatch(slots.map((each) => [each, 'bash', { command: 'true' }]))
  executor.executeBatch(slots.map((each) => [each, 'bash', { command: 'true' }] as const))
  executor.executeBatch([[slot, name, { anything: 1 }]])
  const items: BatchItem[] = [[slot, 'bash', { command: 'true' }]]
  executor.executeBatch(items)

  // @ts-expect-error A command is a text.
  executor.executeBatch([[slot, 'bash', { command: 1 }]])
  // @ts-expect-error It has another name.
  executor.executeBatch([[slot, 'bash', { command: 'true', workdir: 'a' }]])
  executor.executeBatch([
    [slot, 'bash', { command: 'true' }],
    // @ts-expect-error Also behind one that is right.
    [slot, 'write_file', { path: 'a' }],
  ])
  // @ts-expect-error Also in an object.
  executor.executeBatch([{ slot, tool: 'read_file', args: { file: 'a' } }])
  // @ts-expect-error Also when there are many.
  executor.executeBatch(slots.map((each) => [each, 'bash', { comand: 'true' }] as const))
  // @ts-expect-error A call has its arguments.
  executor.executeBatch([[slot, 'bash']])
  // @ts-expect-error There is no such key.
  executor.executeBatch([{ slot, tool: 'read_file', args: { path: 'a' }, timeout: 1 }])
}

export function sugar(slot: Slot): void {
  slot.bash('true', { cwd: 'a', timeoutMs: 1, onStdout: (text) => text.length })
  slot.terminal.sendKeys(['Enter'], { block: true })
  // @ts-expect-error A command is a text, not its parts.
  slot.bash(['true'])
  // @ts-expect-error Times are milliseconds, by name.
  slot.bash('true', { timeout: 1 })
  // @ts-expect-error A text file has a text; bytes go up by `upload`.
  slot.writeFile('a', new Uint8Array(1))
  // @ts-expect-error It has another name.
  slot.terminal.start({ pane_width: 80 })
  // @ts-expect-error A number is no content.
  slot.upload('a', 1)
}

export function pool(pool: SlotPool, lease: Lease, slot: Slot): void {
  pool.run('trajectory', 'bash', { command: 'true' })
  pool.execute(lease, 'my_tool', { anything: 1 })
  pool.executeBatch([
    [lease, 'bash', { command: 'true' }],
    [lease, 'my_tool', { anything: 1 }],
  ])
  // @ts-expect-error A command is a text.
  pool.run('trajectory', 'bash', { command: 1 })
  // @ts-expect-error A trajectory has a name.
  pool.run(1, 'bash', { command: 'true' })
  // @ts-expect-error A slot is no lease.
  pool.execute(slot, 'bash', { command: 'true' })
  // @ts-expect-error A command is a text.
  pool.executeBatch([[lease, 'bash', { command: 1 }]])
  // @ts-expect-error It has another name.
  lease.execute('read_file', { file: 'a' })
}
