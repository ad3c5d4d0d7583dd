/** Checks of calls that are given up, late, lost or misused. */
import type * as Core from '../../mod.ts'
import { type Checks, check, equal } from './smoke-room.ts'

export const troubleChecks: Checks = {
  'an aborted signal runs nothing': async (room) => {
    await room.use({}, async (executor) => {
      const slot = room.slot(executor, 5)
      const gone = await slot.bash('touch ran', { signal: AbortSignal.abort() })
      const controller = new AbortController()
      const waiting = slot.bash('touch ran', { signal: controller.signal })
      controller.abort()
      for (const result of [gone, await waiting]) {
        equal([result.outcome, result.failure?.code], ['not-run', 'aborted'], 'result')
      }
      equal((await slot.bash('ls')).output.trim(), '', 'files')
    })
  },
  'an abort after the post cancels': async (room) => {
    const controller = new AbortController()
    const onEvent = ({ type }: Core.SandboxEvent) => {
      if (type === 'call.posted') controller.abort()
    }
    await room.use({ onEvent }, async (executor) => {
      const { outcome, failure } = await room.slot(executor, 6).bash('sleep 30', {
        signal: controller.signal,
      })
      equal([outcome, failure?.code], ['cancelled', 'aborted'], 'result')
    })
  },
  'the server tells a timeout': async (room) => {
    await room.use({ timeoutMs: 300 }, async (executor) => {
      const { outcome, success } = await room.slot(executor, 7).bash('sleep 60')
      equal([outcome, success], ['timed-out', false], 'result')
    })
  },
  'the client holds the deadline': async (room) => {
    const fetch = async ({ url, signal }: Request) => {
      if (url.endsWith('/health')) return Response.json({ status: 'ok' })
      const { promise, reject } = Promise.withResolvers<Response>()
      signal.addEventListener('abort', () => reject(signal.reason))
      return promise
    }
    await room.use({ fetch, timeoutMs: 1 }, async (executor) => {
      const { outcome, failure } = await room.slot(executor, 0).bash('true')
      equal([outcome, failure?.code], ['unknown', 'deadline'], 'result')
    })
  },
  'an unreachable container runs nothing': async (room) => {
    await room.use({ retry: { attempts: 2, delayMs: 10 } }, async (executor) => {
      const slot = executor.slot({ slotId: 'slot_0', containerAddr: room.settings.closedAddr })
      const { outcome, failure } = await slot.bash('true')
      equal([outcome, failure?.code, failure?.attempts], ['not-run', 'unreachable', 2], 'result')
    })
  },
  /** The container is there when it is asked, and gone when it is posted to. */
  'a post to nobody is told': async (room) => {
    const isHealth = ({ url }: Request) => url.endsWith('/health')
    const options = {
      fetch: async (request: Request) =>
        isHealth(request) ? Response.json({ status: 'ok' }) : fetch(request),
      retry: { attempts: 2, delayMs: 10 },
    }
    await room.use(options, async (executor) => {
      const slot = executor.slot({ slotId: 'slot_0', containerAddr: room.settings.closedAddr })
      const { outcome, failure } = await slot.bash('true')
      equal([outcome, failure?.code], [room.settings.lostPost, 'unreachable'], 'result')
    })
  },
  'misuse rejects': async (room) => {
    await room.use({}, async (executor) => {
      const slot = room.slot(executor, 10)
      const misuses = [slot.bash('true', { timeoutMs: 0 }), executor.executeBatch([[slot, '', {}]])]
      for (const outcome of await Promise.allSettled(misuses)) {
        const isMisuse = outcome.status === 'rejected' && outcome.reason instanceof room.api.SandboxUsageError
        check(isMisuse, `misuse ended ${JSON.stringify(outcome)}`)
      }
      equal(executor.pending, 0, 'pending')
    })
  },
  'close settles what waits': async (room) => {
    const executor = new room.api.SandboxExecutor()
    const waiting = room.slot(executor, 11).bash('true')
    await executor.close({ graceMs: 0 })
    const { outcome, failure } = await waiting
    equal([outcome, failure?.code], ['not-run', 'closed'], 'result')
  },
}
