/** What a user writes who imports every path; it is not run: its types must be there, and be more than `any`. */
import { type ExecutionResult, SandboxExecutor } from 'sandbox-slots'
import { type SlotEvent, slotMachine, withLearnedEdges } from 'sandbox-slots/actors'
import { startInspector } from 'sandbox-slots/inspector'
import { startSandboxServer } from 'sandbox-slots/server'

export async function everyPath(): Promise<ExecutionResult | undefined> {
  await using server = await startSandboxServer({ slots: 2 })
  const inspector = await startInspector({ port: 0 })
  await using executor = new SandboxExecutor({ inspect: inspector.inspect })
  const [slot] = executor.slots(server.url, 1)
  const machine: typeof slotMachine = withLearnedEdges(slotMachine)
  const event: SlotEvent = { type: 'acquire', trajectoryId: machine.id }
  // @ts-expect-error An event has no other type.
  event.type = 'nothing'
  // @ts-expect-error There is no such option.
  await startSandboxServer({ slot: 2 })
  // @ts-expect-error There is no such option.
  await startInspector({ slots: 2 })
  // @ts-expect-error A command is a text.
  await slot?.bash(1)
  return await slot?.bash('true')
}
