/** `/files/{slot}/{path}`: what comes in is checked, and what goes wrong is told. */
import { describeThrown } from '../../../errors.ts'
import { pathAnswer } from '../../artifacts/artifact-answer.ts'
import type { ServerContext } from '../../calls.ts'
import { PathError } from '../../files/path-error.ts'
import { methodRefusal, refusal } from '../../http/answers.ts'
import type { Slot } from '../../slot-table.ts'
import { download } from './download.ts'
import { FileHashes } from './file-hashes.ts'
import { BodyCut, TooLarge, upload } from './upload.ts'

export const filesPrefix = '/files/'

export class FilesRoute {
  readonly #context: ServerContext
  readonly #maxBytes: number
  readonly #hashes = new FileHashes()

  /** `maxBytes`: of a file that is written. */
  constructor(context: ServerContext, maxBytes: number) {
    this.#context = context
    this.#maxBytes = maxBytes
  }

  async answer(request: Request, onBody: () => void = () => {}): Promise<Response> {
    const isRead = request.method === 'GET' || request.method === 'HEAD'
    if (!isRead && request.method !== 'PUT') {
      return methodRefusal(request, 'GET, HEAD, PUT')
    }
    const named = namedIn(request)
    if (named === null) return refusal(400, 'invalid_request', 'Invalid path')
    const slot = this.#context.slots.get(named.slotId)
    if (slot === undefined) return refusal(404, 'not_found', `Unknown slot: ${named.slotId}`)
    try {
      return isRead
        ? await this.#read(request, slot, named.path, onBody)
        : await this.#write(request, slot, named.path, onBody)
    } catch (thrown) {
      return this.#trouble(thrown, named.path)
    }
  }

  #read(request: Request, { workspace }: Slot, path: string, onBody: () => void): Promise<Response> {
    // A slow reader is waited for.
    onBody()
    return download(request, workspace, path, this.#hashes)
  }

  #write(request: Request, slot: Slot, path: string, onBody: () => void): Promise<Response> {
    return upload(request, this.#context, slot, path, { maxBytes: this.#maxBytes, onBody })
  }

  #trouble(thrown: unknown, path: string): Response {
    if (thrown instanceof TooLarge) {
      return refusal(413, 'too_large', `Cannot write ${path}: the limit is ${this.#maxBytes} bytes`)
    }
    if (thrown instanceof BodyCut) {
      return refusal(400, 'invalid_request', `Cannot write ${path}: the body was cut (${thrown.message})`)
    }
    if (!(thrown instanceof PathError))
      return refusal(500, 'server_failed', `The server failed: ${describeThrown(thrown)}`)
    const { status, body } = pathAnswer(thrown, path)
    return refusal(status, status === 404 ? 'not_found' : 'path_refused', String(body.error))
  }
}

/** `null` for what no path can be. */
function namedIn(request: Request): { readonly slotId: string; readonly path: string } | null {
  try {
    const parts = new URL(request.url).pathname.slice(filesPrefix.length).split('/').map(decodeURIComponent)
    const [slotId = '', ...path] = parts
    const joined = path.join('/')
    return joined === '' || joined.includes('\0') ? null : { slotId, path: joined }
  } catch {
    // A percent sign that stands for nothing.
    return null
  }
}
