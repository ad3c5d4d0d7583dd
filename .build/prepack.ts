/** What npm and Bun run before they pack. */
import { preparePackage } from './package.ts'

await preparePackage()
