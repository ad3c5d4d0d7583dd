/** Checks of what comes and goes piece by piece. */
import { type Checks, check, equal, sha256 } from './smoke-room.ts'

export const streamChecks: Checks = {
  'output comes while the call runs': async (room) => {
    const controller = new AbortController()
    let heard = ''
    const onStdout = (text: string) => {
      heard += text
      if (heard.includes('two')) controller.abort()
    }
    await room.use({}, async (executor) => {
      const { outcome, metadata } = await room
        .slot(executor, 12)
        .bash('echo one; echo two; sleep 60', { signal: controller.signal, onStdout })
      equal([outcome, metadata.stdout, heard], ['cancelled', 'one\ntwo\n', 'one\ntwo\n'], 'result')
    })
  },
  'streams are heard apart, and whole': async (room) => {
    const heard = { stdout: '', stderr: '' }
    await room.use({}, async (executor) => {
      const result = await room.slot(executor, 13).bash('for i in 1 2 3; do echo ö$i; echo e$i >&2; done', {
        onStdout: (text) => {
          heard.stdout += text
        },
        onStderr: (text) => {
          heard.stderr += text
        },
      })
      equal(heard, { stdout: 'ö1\nö2\nö3\n', stderr: 'e1\ne2\ne3\n' }, 'heard')
      equal([result.metadata.stdout, result.metadata.stderr], [heard.stdout, heard.stderr], 'result')
    })
  },
  'files go up and come down': async (room) => {
    const bytes = Uint8Array.from({ length: 300_000 }, (_, index) => (index * 7) % 256)
    await room.use({}, async (executor) => {
      const slot = room.slot(executor, 14)
      for (const [name, data] of [
        ['bytes', bytes],
        ['blob', new Blob([bytes])],
      ] as const) {
        const up = await slot.upload(`files/${name}`, data)
        equal([up.success, up.bytes, up.sha256], [true, bytes.length, await sha256(bytes)], `${name} up`)
        const down = await slot.download(`files/${name}`)
        equal([down.success, down.fileSize], [true, bytes.length], `${name} down`)
        equal(await sha256(await new Response(down.body).arrayBuffer()), up.sha256, `${name} as it is`)
      }
      const missing = await slot.download('files/missing')
      equal([missing.success, missing.httpStatus], [false, 404], 'missing file')
    })
  },
  'a stream goes up': async (room) => {
    const text = 'grüße\n'.repeat(20_000)
    await room.use({}, async (executor) => {
      const slot = room.slot(executor, 15)
      const up = await slot.upload('stream.txt', new Blob([text]).stream())
      if (!room.settings.sendsStreams) return equal(up.failure?.code, 'unreachable', 'failure')
      equal([up.success, up.sha256], [true, await sha256(text)], 'up')
      const { output } = await slot.bash('wc -l < stream.txt')
      check(Number(output) === 20_000, `The file has ${output} lines`)
    })
  },
}
