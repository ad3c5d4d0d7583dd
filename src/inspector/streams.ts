/** Floor 3: the two streams that a viewer reads: a whole trace, and what comes after it. */
import type { LiveSource } from './live-source.ts'

/** What happens after a rest is told this soon. */
const noticeMs = 50

/** Then one event follows another so often: each costs time on both sides, and more pictures are not seen. */
const eventEveryMs = 300

/** Making events takes one part of the time in so many at most, of the program that is looked at. */
const timeShare = 20

/** So that both sides notice when the other one is gone. */
const heartbeatMs = 10_000

/** How many records a viewer gets at once; of more, the first are told one by one and the rest as a state. */
const recordsAtOnce = 1_000

/** It has read a whole trace just before, and should miss nothing of what came meanwhile. */
const catchUp = 20_000

const linesAtOnce = 1_000

const encoder = new TextEncoder()

/** Lines in pieces, each made when the reader has room for it. */
export function traceStream(source: LiveSource): ReadableStream<Uint8Array> {
  const lines = source.trace()
  return new ReadableStream<Uint8Array>({
    async pull(controller) {
      // Others have work to do, too.
      await Bun.sleep(0)
      let text = ''
      for (let count = 0; count < linesAtOnce; count += 1) {
        const { value, done } = lines.next()
        if (done) break
        text += `${value}\n`
      }
      if (text === '') controller.close()
      else controller.enqueue(encoder.encode(text))
    },
  })
}

/** Server-sent events, each an array of a trace's lines; its id is the position after them. */
export function eventStream(source: LiveSource, from: number, gone: AbortSignal): ReadableStream<Uint8Array> {
  let position = from
  let isFirst = true
  let isBehind = true
  let restMs = noticeMs
  return new ReadableStream<Uint8Array>({
    async pull(controller) {
      if (isFirst) {
        isFirst = false
        controller.enqueue(encoder.encode('retry: 1000\n\n'))
        return
      }
      const waited = performance.now()
      do {
        await Bun.sleep(restMs)
        if (gone.aborted) return controller.close()
        restMs = noticeMs
      } while (source.history.end === position && performance.now() - waited < heartbeatMs)
      if (source.history.end === position) {
        controller.enqueue(encoder.encode(': still here\n\n'))
        return
      }
      const began = performance.now()
      const portion = source.after(position, isBehind ? catchUp : recordsAtOnce)
      isBehind = false
      position = portion.position
      controller.enqueue(encoder.encode(`id: ${position}\ndata: [${portion.lines.join(',')}]\n\n`))
      restMs = Math.max(eventEveryMs, (performance.now() - began) * timeShare)
    },
  })
}
