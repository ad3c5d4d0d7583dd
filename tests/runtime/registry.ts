/** A registry that has one package more than npm's: for those who install by name only. */
import { basename } from 'node:path'
import { registry } from './packed-place.ts'

export interface Registry extends AsyncDisposable {
  readonly url: string
}

export async function startRegistry(tarball: string, unpacked: string): Promise<Registry> {
  const manifest = await Bun.file(`${unpacked}/package.json`).json()
  const digest = new Bun.CryptoHasher('sha512').update(await Bun.file(tarball).bytes()).digest('base64')
  const server = Bun.serve({
    port: 0,
    hostname: '127.0.0.1',
    fetch: ({ url, headers }) => {
      const { origin, pathname } = new URL(url)
      if (pathname === `/${basename(tarball)}`) return new Response(Bun.file(tarball))
      if (pathname !== `/${manifest.name}`) {
        const accept = headers.get('accept') ?? '*/*'
        return fetch(new URL(pathname.slice(1), registry), { headers: { accept } })
      }
      const dist = { tarball: `${origin}/${basename(tarball)}`, integrity: `sha512-${digest}` }
      return Response.json({
        name: manifest.name,
        'dist-tags': { latest: manifest.version },
        versions: { [manifest.version]: { ...manifest, dist } },
      })
    },
  })
  return {
    url: server.url.href,
    [Symbol.asyncDispose]: async () => await server.stop(true),
  }
}
