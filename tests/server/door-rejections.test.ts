/** Row 14 of the promises: strangers are kept out. One table; each row is refused, and nothing of it runs. */
import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { SandboxUsageError } from '../../src/errors.ts'
import { startSandboxServer } from '../../src/server/mod.ts'
import type { SandboxServerOptions } from '../../src/server/options.ts'
import { createSandbox, type Sandbox } from '../../src/server/sandbox.ts'
import { baseUrl } from './support.ts'

const token = 'The-token-of-this-server-0123456789'
const authorization = `Bearer ${token}`
const friendlyPage = 'http://page.example'

const witness = mkdtempSync(join(tmpdir(), 'door-witness-'))
let sandbox: Sandbox

beforeAll(async () => {
  sandbox = await createSandbox({ isolation: 'none', token, allowedOrigins: [friendlyPage] })
})
afterAll(async () => {
  await sandbox.stop()
  rmSync(witness, { recursive: true })
})

interface Case {
  readonly title: string
  readonly headers?: Readonly<Record<string, string>>
  readonly url?: string
  readonly fields?: object
}

function call(fields: object = {}): Uint8Array<ArrayBuffer> {
  const args = { command: `touch ${witness}/ran` }
  return new TextEncoder().encode(JSON.stringify({ slot_id: 'slot_0', tool: 'bash', args, ...fields }))
}

function send({ headers = { authorization }, url = baseUrl, fields }: Case, path = '/execute') {
  const [base, query = ''] = url.split('?')
  const target = `${base}${path}${query === '' ? '' : `?${query}`}`
  return sandbox.handler(new Request(target, { method: 'POST', body: call(fields), headers }))
}

test('what is refused below runs when nothing is wrong with it', async () => {
  const headers = { authorization, 'content-type': 'application/json' }
  expect((await send({ title: '', headers })).status).toBe(200)
  expect(readdirSync(witness)).toEqual(['ran'])
  rmSync(join(witness, 'ran'))
})

const hosts = [
  'evil.example',
  'evil.example:80',
  '127.0.0.1.evil.example',
  '127.0.0.1@evil.example',
  'localhost.evil.example',
  'localhost.',
  '192.168.0.1',
  '127.0.0.256',
  '127.1',
  '2130706433',
  '0x7f.0.0.1',
  '0.0.0.0',
  '[::]',
  '[::ffff:127.0.0.1]',
  '127.0.0.1, evil.example',
  '',
]

const origins = [
  { origin: 'http://evil.example' },
  { origin: 'null' },
  { origin: '' },
  { origin: 'http://127.0.0.1:1' },
  { origin: 'https://127.0.0.1' },
  { origin: 'http://page.example.evil.example' },
  { origin: `${friendlyPage}/` },
  { host: 'localhost', origin: 'http://127.0.0.1' },
]

const forbidden: readonly Case[] = [
  ...hosts.map((host) => ({ title: `host ${JSON.stringify(host)}`, headers: { authorization, host } })),
  ...origins.map((headers) => ({ title: JSON.stringify(headers), headers: { authorization, ...headers } })),
]

const wrongTypes: readonly Case[] = [
  'text/plain',
  'text/plain;charset=UTF-8',
  'application/x-www-form-urlencoded',
  'multipart/form-data; boundary=x',
  'application/jsonp',
  'text/json',
  '',
].map((type) => ({ title: `type ${JSON.stringify(type)}`, headers: { authorization, 'content-type': type } }))

const unauthorised: readonly Case[] = [
  { title: 'no token', headers: {} },
  ...[
    '',
    'Bearer',
    'Bearer ',
    `Bearer ${token.slice(0, -1)}`,
    `Bearer ${token}x`,
    `Bearer ${token.slice(0, -1)}0`,
    `Bearer ${token.toLowerCase()}`,
    `Bearer ${token} ${token}`,
    `Bearer ${token}, Bearer ${token}`,
    `Bearer "${token}"`,
    `Basic ${btoa(`:${token}`)}`,
    `Basic ${token}`,
    `Token ${token}`,
    token,
  ].map((wrong) => ({ title: `authorization ${JSON.stringify(wrong)}`, headers: { authorization: wrong } })),
  { title: 'the token in the query', headers: {}, url: `${baseUrl}?token=${token}&access_token=${token}` },
  { title: 'the token as a password of the URL', headers: {}, url: `http://user:${token}@127.0.0.1` },
  { title: 'the token in a cookie', headers: { cookie: `token=${token}; authorization=${token}` } },
  {
    title: 'the token in headers of other names',
    headers: { 'x-token': token, 'proxy-authorization': authorization },
  },
  { title: 'the token in the body', headers: {}, fields: { token, authorization, access_token: token } },
  { title: 'a friendly page without the token', headers: { origin: friendlyPage } },
]

describe('is refused, and nothing runs:', () => {
  test.each([
    ...forbidden.map((row) => ({ ...row, status: 403, code: /^(host|origin)_refused$/ })),
    ...wrongTypes.map((row) => ({ ...row, status: 415, code: 'type_refused' })),
    ...unauthorised.map((row) => ({ ...row, status: 401, code: 'unauthorized' })),
  ])('$status $title', async (row) => {
    const response = await send(row)
    const text = await response.text()
    expect([response.status, JSON.parse(text)]).toEqual([
      row.status,
      { success: false, error: expect.any(String), code: expect.stringMatching(row.code) },
    ])
    expect(text).not.toContain(token)
    const isFriend = row.headers?.origin === friendlyPage
    expect(response.headers.get('access-control-allow-origin')).toBe(isFriend ? friendlyPage : null)
    expect(readdirSync(witness)).toEqual([])
  })
})

const routes = [
  ...['/execute', '/batch', '/reset', '/cancel', '/v2/batch', '/nope', '/health', '/health/x', '//health'],
  ...['/artifacts/read', '/artifacts/list', '/artifacts/archive', '/slots', '/'],
]

describe('without the token', () => {
  test('no route answers by any method, and none tells whether it is there', async () => {
    for (const path of routes) {
      for (const method of ['GET', 'HEAD', 'POST', 'PUT', 'DELETE', 'OPTIONS']) {
        if (path === '/health' && (method === 'GET' || method === 'HEAD')) continue
        const { status, headers } = await sandbox.handler(new Request(baseUrl + path, { method }))
        const seen = [method, path, status, headers.get('www-authenticate')]
        expect(seen).toEqual([method, path, 401, 'Bearer'])
      }
    }
  })

  test('GET /health says that the server is there, and nothing else', async () => {
    for (const headers of [{}, { authorization: 'Bearer wrong-token-0123456789' }]) {
      const response = await sandbox.handler(new Request(`${baseUrl}/health`, { headers }))
      expect([response.status, await response.json()]).toEqual([200, { status: 'ok' }])
    }
    const full = await sandbox.handler(new Request(`${baseUrl}/health`, { headers: { authorization } }))
    expect(await full.json()).toMatchObject({ status: 'ok', slots: 8 })
  })

  test('foreign pages do not even get that', async () => {
    for (const headers of [{ origin: 'http://evil.example' }, { host: 'evil.example' }]) {
      expect((await sandbox.handler(new Request(`${baseUrl}/health`, { headers }))).status).toBe(403)
    }
  })

  test('a browser may ask whether a friendly page may send one, and no other page', async () => {
    const ask = (origin: string) =>
      sandbox.handler(
        new Request(`${baseUrl}/execute`, {
          method: 'OPTIONS',
          headers: {
            origin,
            'access-control-request-method': 'POST',
            'access-control-request-headers': 'authorization,content-type',
          },
        }),
      )
    const friendly = await ask(friendlyPage)
    expect([friendly.status, friendly.headers.get('access-control-allow-headers')]).toEqual([
      204,
      'authorization, content-type, if-ledger, if-range, range',
    ])
    expect((await ask('http://evil.example')).status).toBe(403)
  })
})

describe('does not start:', () => {
  const insecure: readonly SandboxServerOptions[] = [
    { host: '0.0.0.0' },
    { host: '::' },
    { host: '10.1.2.3' },
    { host: '::ffff:127.0.0.1' },
    { host: 'container-1' },
    { network: true },
    { network: true, host: '0.0.0.0' },
    { token: 'too-short' },
  ]
  test.each(insecure)('%j', async (options) => {
    const thrown = await startSandboxServer({ isolation: 'none', ...options }).catch(
      (error: unknown) => error,
    )
    expect(thrown).toBeInstanceOf(SandboxUsageError)
    expect(String(thrown)).toContain('token')
  })
})
