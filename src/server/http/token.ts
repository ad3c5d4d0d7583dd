/** Whether a request shows the server's token. */
import { createHash, timingSafeEqual } from 'node:crypto'

/** Answers for the value of an `Authorization` header. Without a token everybody is welcome. */
export type TokenCheck = (authorization: string | null) => boolean

/** Takes the same time for every wrong token: of hashes, which have one length, all bytes are compared. */
export function tokenCheck(token: string | undefined): TokenCheck {
  if (token === undefined) return () => true
  const expected = sha256(token)
  return (authorization) => {
    const shown = /^Bearer +(\S+)$/i.exec(authorization ?? '')?.[1]
    return shown !== undefined && timingSafeEqual(sha256(shown), expected)
  }
}

function sha256(text: string): Buffer {
  return createHash('sha256').update(text).digest()
}
