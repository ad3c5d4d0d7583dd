/** Floor 3: SHA-256 of what comes in pieces: `crypto.subtle` takes only the whole. Browser compatible. */
import { sha256 } from '@noble/hashes/sha2.js'
import * as v from 'valibot'

/** A hash that is fed piece by piece. */
export interface Sha256 {
  update(bytes: Uint8Array): void
  /** The hash as hexadecimal text. Ends it. */
  hex(): string
}

const isFunction = v.function()
const runtime = v.object({ getBuiltinModule: isFunction })
const cryptoModule = v.object({ createHash: isFunction })
const runningHash = v.object({ update: isFunction, digest: isFunction })

/** The runtime's own, many times as fast, where there is one; a script elsewhere. */
export function startSha256(): Sha256 {
  return nativeSha256() ?? scriptSha256()
}

export function scriptSha256(): Sha256 {
  const hash = sha256.create()
  return {
    update: (bytes) => void hash.update(bytes),
    hex: () => Array.from(hash.digest(), (byte) => byte.toString(16).padStart(2, '0')).join(''),
  }
}

function nativeSha256(): Sha256 | undefined {
  const host: unknown = Reflect.get(globalThis, 'process')
  if (!v.is(runtime, host)) return undefined
  const module: unknown = host.getBuiltinModule('node:crypto')
  if (!v.is(cryptoModule, module)) return undefined
  const hash: unknown = module.createHash('sha256')
  if (!v.is(runningHash, hash)) return undefined
  return { update: (bytes) => void hash.update(bytes), hex: () => String(hash.digest('hex')) }
}
