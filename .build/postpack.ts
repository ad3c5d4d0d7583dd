/** What npm and Bun run after they have packed; to be run by hand when that was interrupted. */
import { restoreCheckout } from './package.ts'

await restoreCheckout()
