/** A Node that is new enough for the package: this machine's, or the oldest that will do, from npm. */
import { join } from 'node:path'
import { isOnline, type PackedPlace } from './packed-place.ts'

const oldest = '22.23.3'
const own = Bun.which('node')
const isOwnNewEnough = own !== null && Bun.semver.satisfies(versionOf(own), '>=22')

/** npm has Node for some machines only. */
export const hasNewerNode = isOwnNewEnough || (isOnline && process.platform === 'linux')

export async function newerNode(place: PackedPlace): Promise<string> {
  if (own !== null && isOwnNewEnough) return own
  const project = await place.project('node-itself', {})
  const name = `node-${process.platform}-${process.arch}`
  await place.run(['bun', 'add', `${name}@${oldest}`], project)
  return join(project, 'node_modules', name, 'bin/node')
}

function versionOf(node: string): string {
  return Bun.spawnSync([node, '--version']).stdout.toString().trim().replace(/^v/, '')
}
