/** The tools `read_file` and `write_file`. */
import * as v from 'valibot'
import { baseLimits } from '../../protocol/routes.ts'
import { readFileHead } from '../files/read-file.ts'
import { writeFileBeneath } from '../files/write-file.ts'
import { countCharacters } from './text.ts'
import { defineTool, failed, succeeded, tellingPathErrors, wellFormed, withoutNul } from './tool.ts'

export const readFile = defineTool(
  v.object({ path: v.optional(withoutNul, '') }),
  ({ path }, { workspace }) =>
    tellingPathErrors(async () => {
      const { bytes, size, realPath } = await readFileHead(workspace, path, baseLimits.fileBytes)
      const isTruncated = size > bytes.length
      // With `stream`, a character that the limit cut in its middle is left out.
      const text = new TextDecoder('utf-8', { ignoreBOM: true }).decode(bytes, { stream: isTruncated })
      return succeeded(text, { path: realPath, size, ...(isTruncated ? { truncated: true } : {}) })
    }),
)

const writeFileArgs = v.object({ path: v.optional(withoutNul, ''), content: v.optional(wellFormed, '') })

export const writeFile = defineTool(
  writeFileArgs,
  ({ path, content }, { workspace, staging, owner = null }) =>
    tellingPathErrors(async () => {
      // Base servers count characters here, and call them bytes.
      const size = countCharacters(content)
      if (size > baseLimits.fileBytes) {
        return failed(`Content too large: ${size} bytes (max ${baseLimits.fileBytes})`)
      }
      const realPath = await writeFileBeneath(workspace, path, Buffer.from(content), { staging, owner })
      return succeeded(`Successfully wrote ${size} bytes to ${path}`, { path: realPath, size })
    }),
)
