/** The core, checked with nothing but web standards: the same suite runs in every runtime. */
import type * as Core from '../../mod.ts'

type Api = Pick<typeof Core, 'SandboxExecutor' | 'SandboxUsageError' | 'toToolResult' | 'artifactBytes'>
type Executor = InstanceType<Api['SandboxExecutor']>
type Slot = Core.Slot

export interface SmokeReport {
  readonly passed: readonly string[]
  readonly failed: readonly { readonly name: string; readonly message: string }[]
}

export interface SmokeSettings {
  /** The sandbox server; it has at least 64 slots. */
  readonly addr: string
  /** An address where nobody listens. */
  readonly closedAddr: string
  /** What this runtime can tell of it: a browser says only that something failed. */
  readonly unreachable: 'not-run' | 'unknown'
}

/** Names every check that ran; never rejects. The checks run side by side, each in slots of its own. */
export async function smoke(api: Api, settings: SmokeSettings): Promise<SmokeReport> {
  const suite = new Suite(api, settings)
  const passed: string[] = []
  const failed: { name: string; message: string }[] = []
  const run = async ([name, check]: Check) => {
    try {
      await check()
      passed.push(name)
    } catch (error) {
      failed.push({ name, message: error instanceof Error ? error.message : String(error) })
    }
  }
  await Promise.all(suite.checks.map(run))
  return { passed: passed.sort(), failed }
}

type Check = readonly [name: string, check: () => Promise<void>]

class Suite {
  readonly #api: Api
  readonly #settings: SmokeSettings

  constructor(api: Api, settings: SmokeSettings) {
    this.#api = api
    this.#settings = settings
  }

  readonly checks: readonly Check[] = [
    ['a call runs', () => this.#run()],
    ['a failing tool is a result', () => this.#failingTool()],
    ['a batch answers in the order of its items', () => this.#batch()],
    ['many calls share posts', () => this.#sharing()],
    ['the calls of a slot run in order', () => this.#queue()],
    ['an aborted signal runs nothing', () => this.#abortBefore()],
    ['an abort after the post cancels', () => this.#abortAfter()],
    ['the server tells a timeout', () => this.#timeout()],
    ['the client holds the deadline', () => this.#deadline()],
    ['a reset empties the workspace', () => this.#reset()],
    ['artifacts come with their hash', () => this.#artifacts()],
    ['health and status are told', () => this.#health()],
    ['an unreachable container is told', () => this.#unreachable()],
    ['misuse rejects', () => this.#misuse()],
    ['close settles what waits', () => this.#close()],
  ]

  async #run(): Promise<void> {
    await this.#with({}, async (executor) => {
      const slot = this.#slot(executor, 0)
      const result = await executor.execute(slot, 'bash', { command: 'echo "hällo $((6 * 7))"' })
      equal(result.output.trim(), 'hällo 42', 'output')
      equal([result.outcome, result.success, result.slotId], ['exited', true, 'slot_0'], 'result')
      equal(this.#api.toToolResult(result).uniqId, result.executionId, 'uniqId')
      equal(slot.state, 'idle', 'state of the slot')
    })
  }

  async #failingTool(): Promise<void> {
    await this.#with({}, async (executor) => {
      const { success, outcome, metadata, failure } = await this.#slot(executor, 1).bash('exit 3')
      equal([success, outcome, metadata.exit_code, failure], [false, 'exited', 3, undefined], 'result')
    })
  }

  async #batch(): Promise<void> {
    await this.#with({}, async (executor) => {
      const results = await executor.executeBatch([
        [this.#slot(executor, 2), 'bash', { command: 'sleep 0.2; echo one' }],
        [this.#slot(executor, 3), 'bash', { command: 'echo two' }],
        [this.#slot(executor, 2), 'bash', { command: 'echo three' }],
      ])
      equal(
        results.map(({ output }) => output.trim()),
        ['one', 'two', 'three'],
        'outputs',
      )
      equal(await executor.executeBatch([]), [], 'empty batch')
    })
  }

  async #sharing(): Promise<void> {
    const posts: number[] = []
    const onEvent = (event: Core.SandboxEvent) => {
      if (event.type === 'post.started') posts.push(event.calls)
    }
    await this.#with({ onEvent }, async (executor) => {
      const slots = Array.from({ length: 32 }, (_, index) => this.#slot(executor, 16 + index))
      const results = await Promise.all(slots.map((slot, index) => slot.writeFile('n.txt', `${index}`)))
      equal(results.filter(({ success }) => success).length, 32, 'successes')
      equal(
        posts.reduce((sum, calls) => sum + calls, 0),
        32,
        'calls in posts',
      )
      check(posts.length <= 4, `32 calls went out in ${posts.length} posts`)
    })
  }

  async #queue(): Promise<void> {
    await this.#with({}, async (executor) => {
      const slot = this.#slot(executor, 4)
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
  }

  async #abortBefore(): Promise<void> {
    await this.#with({}, async (executor) => {
      const slot = this.#slot(executor, 5)
      const gone = await slot.bash('touch ran', { signal: AbortSignal.abort() })
      const controller = new AbortController()
      const waiting = slot.bash('touch ran', { signal: controller.signal })
      controller.abort()
      for (const result of [gone, await waiting]) {
        equal([result.outcome, result.failure?.code], ['not-run', 'aborted'], 'result')
      }
      equal((await slot.bash('ls')).output.trim(), '', 'files')
    })
  }

  async #abortAfter(): Promise<void> {
    const controller = new AbortController()
    const onEvent = ({ type }: Core.SandboxEvent) => {
      if (type === 'call.posted') controller.abort()
    }
    await this.#with({ onEvent }, async (executor) => {
      const { outcome, failure } = await this.#slot(executor, 6).bash('sleep 1', {
        signal: controller.signal,
      })
      equal([outcome, failure?.code], ['cancelled', 'aborted'], 'result')
    })
  }

  async #timeout(): Promise<void> {
    await this.#with({ timeoutMs: 300 }, async (executor) => {
      const { outcome, success } = await this.#slot(executor, 7).bash('sleep 60')
      equal([outcome, success], ['timed-out', false], 'result')
    })
  }

  async #deadline(): Promise<void> {
    const fetch = async ({ url, signal }: Request) => {
      if (url.endsWith('/health')) return Response.json({ status: 'ok' })
      const { promise, reject } = Promise.withResolvers<Response>()
      signal.addEventListener('abort', () => reject(signal.reason))
      return promise
    }
    await this.#with({ fetch, timeoutMs: 1 }, async (executor) => {
      const { outcome, failure } = await this.#slot(executor, 0).bash('true')
      equal([outcome, failure?.code], ['unknown', 'deadline'], 'result')
    })
  }

  async #reset(): Promise<void> {
    await this.#with({}, async (executor) => {
      const slot = this.#slot(executor, 8)
      await slot.writeFile('a/b.txt', 'text')
      equal((await slot.readFile('a/b.txt')).output, 'text', 'before')
      equal((await executor.resetSlot(slot)).outcome, 'exited', 'reset')
      equal([(await slot.readFile('a/b.txt')).success, slot.state], [false, 'idle'], 'after')
    })
  }

  async #artifacts(): Promise<void> {
    await this.#with({}, async (executor) => {
      const slot = this.#slot(executor, 9)
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
      equal([...this.#api.artifactBytes(archive).slice(0, 2)], [0x1f, 0x8b], 'start of the archive')
      const missing = await slot.artifacts.read('missing')
      equal([missing.success, missing.httpStatus], [false, 404], 'missing file')
    })
  }

  async #health(): Promise<void> {
    await this.#with({}, async (executor) => {
      equal(await executor.healthCheck(this.#settings.addr), true, 'health')
      equal((await executor.getContainerStatus(this.#settings.addr))?.status, 'ok', 'status')
      equal(await executor.healthCheck(this.#settings.closedAddr), false, 'health of nobody')
    })
  }

  async #unreachable(): Promise<void> {
    await this.#with({ retry: { attempts: 2, delayMs: 10 } }, async (executor) => {
      const slot = executor.slot({ slotId: 'slot_0', containerAddr: this.#settings.closedAddr })
      const { outcome, failure } = await slot.bash('true')
      equal([outcome, failure?.code], [this.#settings.unreachable, 'unreachable'], 'result')
    })
  }

  async #misuse(): Promise<void> {
    await this.#with({}, async (executor) => {
      const slot = this.#slot(executor, 10)
      const misuses = [slot.bash('true', { timeoutMs: 0 }), executor.executeBatch([[slot, '', {}]])]
      for (const outcome of await Promise.allSettled(misuses)) {
        const isMisuse =
          outcome.status === 'rejected' && outcome.reason instanceof this.#api.SandboxUsageError
        check(isMisuse, `misuse ended ${JSON.stringify(outcome)}`)
      }
      equal(executor.pending, 0, 'pending')
    })
  }

  async #close(): Promise<void> {
    const executor = new this.#api.SandboxExecutor()
    const waiting = this.#slot(executor, 11).bash('true')
    await executor.close({ graceMs: 0 })
    const { outcome, failure } = await waiting
    equal([outcome, failure?.code], ['not-run', 'closed'], 'result')
  }

  async #with(
    options: Core.SandboxExecutorOptions,
    use: (executor: Executor) => Promise<void>,
  ): Promise<void> {
    const executor = new this.#api.SandboxExecutor(options)
    try {
      await use(executor)
    } finally {
      await executor.close()
    }
  }

  #slot(executor: Executor, index: number): Slot {
    return executor.slot({ slotId: `slot_${index}`, containerAddr: this.#settings.addr })
  }
}

async function sha256(text: string): Promise<string> {
  const digest = await crypto.subtle.digest('SHA-256', new TextEncoder().encode(text))
  return Array.from(new Uint8Array(digest), (byte) => byte.toString(16).padStart(2, '0')).join('')
}

function equal(seen: unknown, expected: unknown, what: string): void {
  const [left, right] = [JSON.stringify(seen), JSON.stringify(expected)]
  check(left === right, `${what}: ${left} instead of ${right}`)
}

function check(isRight: boolean, message: string): void {
  if (!isRight) throw new Error(message)
}
