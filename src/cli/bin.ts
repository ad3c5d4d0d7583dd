#!/usr/bin/env bun
/** The installed command. It needs Bun, and says so to another runtime before it loads what only Bun has. */
import { exitCodes } from './failure.ts'

if (typeof Bun === 'undefined') {
  console.error('error: sandbox-slots needs Bun (https://bun.sh); with Bun: bunx sandbox-slots')
  process.exitCode = exitCodes.wrongUsage
} else {
  await import('./main.ts')
}
