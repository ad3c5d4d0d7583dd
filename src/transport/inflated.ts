/**
 * Floor 2: answers that come packed, where the runtime leaves that to us. Browser compatible.
 *
 * Bun's `fetch` inflates all that is left of a body at once when its reader gives it up: a small bomb takes any memory.
 * So Bun is asked not to inflate, and it is done here, a little at a time, as far as somebody reads.
 */

/** Inflated, even a bomb, a piece is about 1 MB. */
const pieceBytes = 1_024

/** Whether this is Bun. */
export const isBun: boolean = navigatorName().startsWith('Bun/')

function navigatorName(): string {
  return typeof navigator === 'undefined' ? '' : navigator.userAgent
}

/** The options of Bun's `fetch` that no standard has. */
export const unpacked: object = { decompress: false }

/** The answer with its body as it was before it was packed. */
export function inflated(response: Response): Response {
  // Its body is not asked for before that is known: Bun makes a stream of it then, which is slower to read.
  if (response.headers.get('content-encoding') !== 'gzip') return response
  const { body } = response
  if (body === null) return response
  const inflate = new DecompressionStream('gzip')
  return new Response(inPieces(body).pipeThrough(inflate), response)
}

function inPieces(body: ReadableStream<Uint8Array<ArrayBuffer>>): ReadableStream<Uint8Array<ArrayBuffer>> {
  const reader = body.getReader()
  let rest = new Uint8Array()
  return new ReadableStream(
    {
      pull: async (controller) => {
        while (rest.length === 0) {
          const { done, value } = await reader.read()
          if (done) return controller.close()
          rest = value
        }
        controller.enqueue(rest.subarray(0, pieceBytes))
        rest = rest.subarray(pieceBytes)
      },
      cancel: (reason) => reader.cancel(reason),
    },
    { highWaterMark: 0 },
  )
}
