import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import * as v from 'valibot'
import { createSandbox, type Sandbox } from '../../src/server/sandbox.ts'
import { type SandboxServer, startSandboxServer } from '../../src/server/start-server.ts'
import { type Exchange, hasVectors, vectors } from '../support/vectors.ts'
import { bodyOf, differences } from './differences.ts'
import { hasBubblewrap } from './support.ts'

type Send = (request: Request) => Promise<Response>

async function replay(vector: Exchange, base: string, send: Send): Promise<Response> {
  const { method, path } = vector.request
  return send(new Request(base + path, { method, ...bodyInit(bodyOf(vector)) }))
}

/** The recordings name no content type, so none is sent: bytes have none. */
function bodyInit(body: string | null): RequestInit {
  return body === null ? {} : { body: new TextEncoder().encode(body) }
}

/** Answers `recorded` with the deliberate differences put in. */
function expected(name: string, recorded: unknown): unknown {
  let json = recorded
  for (const { path, here } of differences[name] ?? []) json = put(json, path.split('.'), here)
  return json
}

function put(json: unknown, [key, ...rest]: readonly string[], value: unknown): unknown {
  if (key === undefined) return value
  if (Array.isArray(json))
    return json.map((item, index) => (String(index) === key ? put(item, rest, value) : item))
  const object = v.parse(v.record(v.string(), v.unknown()), json)
  return { ...object, [key]: put(object[key], rest, value) }
}

/** Paths of the data directory as in the recordings; times as 0; sizes of directories as 4096. */
function comparable(json: unknown, dataDir: string): unknown {
  const text = JSON.stringify(json).replaceAll(`${dataDir}/.sandbox-slots`, '').replaceAll(dataDir, '/data')
  return JSON.parse(text, (key, value: unknown) => {
    if (key === 'mtime') return 0
    const entry = v.safeParse(v.looseObject({ is_dir: v.literal(true), size: v.number() }), value)
    return entry.success ? { ...entry.output, size: 4096 } : value
  })
}

/** `*` in what is expected matches anything, a RegExp what it matches. */
function loosened(wanted: unknown, got: unknown): unknown {
  if (wanted === '*') return got
  if (wanted instanceof RegExp) return typeof got === 'string' && wanted.test(got) ? got : String(wanted)
  if (typeof wanted !== 'object' || wanted === null || typeof got !== 'object' || got === null) return wanted
  if (Array.isArray(wanted)) return wanted.map((item, index) => loosened(item, Reflect.get(got, index)))
  return Object.fromEntries(
    Object.entries(wanted).map(([key, item]) => [key, loosened(item, Reflect.get(got, key))]),
  )
}

async function compare(vector: Exchange, response: Response, dataDir: string): Promise<void> {
  const { status, content_type, json, text } = vector.response
  expect(response.status).toBe(status)
  expect(response.headers.get('content-type')).toBe(content_type)
  if (json === undefined) return expect(await response.text()).toBe(text ?? '')
  const got = comparable(await response.json(), dataDir)
  expect(got).toEqual(loosened(expected(vector.name, comparable(json, '/data')), got))
}

async function dataDirOf(base: string, send: Send): Promise<string> {
  const response = await send(new Request(`${base}/health`))
  return v.parse(v.object({ data_dir: v.string() }), await response.json()).data_dir
}

const canRun = hasVectors && hasBubblewrap

test('each deliberate difference belongs to a recorded exchange', () => {
  if (!hasVectors) return
  const names = vectors.map((vector) => vector.name)
  expect(Object.keys(differences).filter((name) => !names.includes(name))).toEqual([])
})

describe.skipIf(!canRun)('answers the recorded requests as the base server did, without a port', () => {
  let sandbox: Sandbox
  beforeAll(async () => {
    sandbox = await createSandbox({ slots: 4 })
  })
  afterAll(() => sandbox.stop())

  for (const vector of vectors) {
    test(vector.name, async () => {
      const base = 'http://127.0.0.1'
      const dataDir = await dataDirOf(base, sandbox.handler)
      await compare(vector, await replay(vector, base, sandbox.handler), dataDir)
    })
  }
})

describe.skipIf(!canRun)('answers them on a port', () => {
  let server: SandboxServer
  beforeAll(async () => {
    server = await startSandboxServer({ slots: 4 })
  })
  afterAll(() => server.stop())

  for (const vector of vectors) {
    test(vector.name, async () => {
      const dataDir = await dataDirOf(server.url, fetch)
      await compare(vector, await replay(vector, server.url, fetch), dataDir)
    })
  }
})
