/** Floor 0: memory of chunks that nobody needs any more. */

/**
 * Gives the memory of a chunk back at once: the collector sees late how much it is, and by then there are tens of
 * megabytes of them. Only for chunks that nobody else has: whoever holds one finds it empty. A view of a larger buffer,
 * which others may share, is left to the collector.
 */
export function giveBack({ buffer, byteLength }: Uint8Array<ArrayBuffer>): void {
  if (byteLength === buffer.byteLength) buffer.transfer(0)
}
