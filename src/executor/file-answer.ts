/** Floor 3: what a server answers to a file that is sent or fetched. Browser compatible. */

/** The head of the answer, and of a file that is fetched the content. */
export class FileAnswer {
  readonly success = true

  constructor(
    /** Bytes of the content, where the server tells. */
    readonly size: number | null,
    /** Of the whole file, in hexadecimal: its ETag. */
    readonly sha256: string | null,
    readonly body: ReadableStream<Uint8Array<ArrayBuffer>>,
    /** The content's first byte in the file. */
    readonly from: number,
  ) {}
}
