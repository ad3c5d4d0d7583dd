/** `PUT /files/{slot}/{path}`: a file from a stream, in one step. */
import { relative } from 'node:path'
import { describeThrown } from '../../../errors.ts'
import { giveBack } from '../../../protocol/given-back.ts'
import type { ServerContext } from '../../calls.ts'
import { openIfThere } from '../../files/open-directory.ts'
import { placeStaged, stageFile } from '../../files/write-file.ts'
import { json } from '../../http/answers.ts'
import type { Slot } from '../../slot-table.ts'

/** The body is over the limit. */
export class TooLarge extends Error {
  override name = 'TooLarge'
}

/** The client went away in the middle of its body. */
export class BodyCut extends Error {
  override name = 'BodyCut'
}

/**
 * The body goes beside the workspace while the slot's call runs on; then it waits for its turn, and takes its place whole.
 * Throws a PathError, TooLarge or BodyCut, and has changed nothing then.
 */
export async function upload(
  request: Request,
  { staging }: ServerContext,
  { workspace, owner, lock }: Slot,
  path: string,
  limits: { readonly maxBytes: number; readonly onBody: () => void },
): Promise<Response> {
  // Early, for the client's sake: that it leads outside is told before the whole body has come.
  openIfThere(workspace, path)?.[Symbol.dispose]()
  const counted = new Counted(request, limits.maxBytes)
  const options = { staging, owner }
  const staged = await stageFile(counted, options)
  limits.onBody()
  const realPath = await lock.run(() => placeStaged(workspace, path, staged, options))
  const { bytes, sha256 } = counted
  const answer = json({ success: true, path: relative(workspace, realPath), bytes, sha256 })
  answer.headers.set('etag', `"${sha256}"`)
  return answer
}

/** The pieces of a body, counted and hashed as they pass; each is given back when the next one is asked for. */
class Counted implements AsyncIterable<Uint8Array> {
  readonly #request: Request
  readonly #maxBytes: number
  readonly #hasher = new Bun.CryptoHasher('sha256')
  #bytes = 0

  constructor(request: Request, maxBytes: number) {
    this.#request = request
    this.#maxBytes = maxBytes
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array> {
    for await (const piece of this.#pieces()) {
      this.#bytes += piece.length
      if (this.#bytes > this.#maxBytes) throw new TooLarge()
      this.#hasher.update(piece)
      yield piece
      giveBack(piece)
    }
  }

  async *#pieces(): AsyncGenerator<Uint8Array<ArrayBuffer>> {
    try {
      yield* this.#request.body ?? []
    } catch (thrown) {
      throw new BodyCut(describeThrown(thrown), { cause: thrown })
    }
  }

  get bytes(): number {
    return this.#bytes
  }

  /** Once, at the end. */
  get sha256(): string {
    return this.#hasher.digest('hex')
  }
}
