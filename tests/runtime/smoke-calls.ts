/** Checks of calls that go well. */
import type * as Core from '../../mod.ts'
import { type Checks, check, equal, sha256 } from './smoke-room.ts'

export const callChecks: Checks = {
  'a call runs': async (room) => {
    await room.use({}, async (executor) => {
      const slot = room.slot(executor, 0)
      const result = await executor.execute(slot, 'bash', { command: 'echo "hällo $((6 * 7))"' })
      equal(result.output.trim(), 'hällo 42', 'output')
      equal([result.outcome, result.success, result.slotId], ['exited', true, slot.slotId], 'result')
      equal(room.api.toToolResult(result).uniqId, result.executionId, 'uniqId')
      equal(slot.state, 'idle', 'state of the slot')
    })
  },
  'a failing tool is a result': async (room) => {
    await room.use({}, async (executor) => {
      const { success, outcome, metadata, failure } = await room.slot(executor, 1).bash('exit 3')
      equal([success, outcome, metadata.exit_code, failure], [false, 'exited', 3, undefined], 'result')
    })
  },
  'a batch answers in the order of its items': async (room) => {
    await room.use({}, async (executor) => {
      const results = await executor.executeBatch([
        [room.slot(executor, 2), 'bash', { command: 'sleep 0.2; echo one' }],
        [room.slot(executor, 3), 'bash', { command: 'echo two' }],
        [room.slot(executor, 2), 'bash', { command: 'echo three' }],
      ])
      equal(
        results.map(({ output }) => output.trim()),
        ['one', 'two', 'three'],
        'outputs',
      )
      equal(await executor.executeBatch([]), [], 'empty batch')
    })
  },
  'many calls share posts': async (room) => {
    const posts: number[] = []
    const onEvent = (event: Core.SandboxEvent) => {
      if (event.type === 'post.started') posts.push(event.calls)
    }
    await room.use({ onEvent }, async (executor) => {
      const slots = Array.from({ length: 32 }, (_, index) => room.slot(executor, 16 + index))
      const results = await Promise.all(slots.map((slot, index) => slot.writeFile('n.txt', `${index}`)))
      equal(results.filter(({ success }) => success).length, 32, 'successes')
      equal(
        posts.reduce((sum, calls) => sum + calls, 0),
        32,
        'calls in posts',
      )
      check(posts.length <= 4, `32 calls went out in ${posts.length} posts`)
    })
  },
  'the calls of a slot run in order': async (room) => {
    await room.use({}, async (executor) => {
      const slot = room.slot(executor, 4)
      slot.acquire('trajectory')
      const first = slot.bash('sleep 0.1; echo one >> order.txt')
      const second = slot.bash('echo two >> order.txt')
      const third = slot.readFile('order.txt')
      equal([slot.state, executor.pending], ['executing', 3], 'while they run')
      await Promise.all([first, second])
      equal((await third).output.trim(), 'one\ntwo', 'order')
      equal([slot.state, slot.trajectoryId], ['acquired', 'trajectory'], 'after them')
      slot.release()
    })
  },
  'a reset empties the workspace': async (room) => {
    await room.use({}, async (executor) => {
      const slot = room.slot(executor, 8)
      await slot.writeFile('a/b.txt', 'text')
      equal((await slot.readFile('a/b.txt')).output, 'text', 'before')
      equal((await executor.resetSlot(slot)).outcome, 'exited', 'reset')
      equal([(await slot.readFile('a/b.txt')).success, slot.state], [false, 'idle'], 'after')
    })
  },
  'artifacts come with their hash': async (room) => {
    await room.use({}, async (executor) => {
      const slot = room.slot(executor, 9)
      await slot.writeFile('out/text.txt', 'grüße\n')
      const file = await slot.artifacts.read('out/text.txt', { includeSha256: true })
      equal([file.success, file.content, file.sha256], [true, 'grüße\n', await sha256('grüße\n')], 'file')
      const list = await slot.artifacts.list('out')
      equal(
        list.entries.map(({ path }) => path),
        ['out/text.txt'],
        'entries',
      )
      const archive = await slot.artifacts.archive('out')
      equal([...room.api.artifactBytes(archive).slice(0, 2)], [0x1f, 0x8b], 'start of the archive')
      const missing = await slot.artifacts.read('missing')
      equal([missing.success, missing.httpStatus], [false, 404], 'missing file')
    })
  },
  'health and status are told': async (room) => {
    await room.use({}, async (executor) => {
      equal(await executor.healthCheck(room.settings.addr), true, 'health')
      equal((await executor.getContainerStatus(room.settings.addr))?.status, 'ok', 'status')
      equal(await executor.healthCheck(room.settings.closedAddr), false, 'health of nobody')
    })
  },
}
