/** A directory of its own that everybody may pass: the users of a root server's slots have their workspaces below it. */
import { chmodSync, mkdtempSync } from 'node:fs'
import { join } from 'node:path'

export function openDirectory(parent: string, prefix: string): string {
  const path = mkdtempSync(join(parent, prefix))
  chmodSync(path, 0o755)
  return path
}
