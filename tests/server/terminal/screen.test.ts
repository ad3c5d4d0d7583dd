import { expect, test } from 'bun:test'
import { Screen } from '../../../src/server/terminal/screen.ts'

const small = { columns: 20, rows: 4 }

async function screenWith(text: string, size = small): Promise<Screen> {
  const screen = new Screen(size, () => {})
  await screen.draw(text)
  return screen
}

test('every row is a line, without the spaces at its end', async () => {
  const screen = await screenWith('$ echo hi   \r\nhi\r\n$ ')
  expect(screen.lines(false)).toEqual(['$ echo hi', 'hi', '$', ''])
})

test('what scrolled away is there too, when it is asked for', async () => {
  const screen = await screenWith([1, 2, 3, 4, 5, 6].join('\r\n'))
  expect(screen.lines(false)).toEqual(['3', '4', '5', '6'])
  expect(screen.lines(true)).toEqual(['1', '2', '3', '4', '5', '6'])
})

test('no more than 2,000 lines above the screen are kept', async () => {
  const screen = await screenWith('x\r\n'.repeat(5_000))
  expect(screen.lines(true)).toHaveLength(2_004)
})

test('wide characters take two columns, combining ones none', async () => {
  const screen = await screenWith('日本語 😀 e\u0301|\r\n\x1b[2;5Hx\x1b[1;5H本')
  expect(screen.lines(false).slice(0, 2)).toEqual(['日本本 😀 e\u0301|', '    x'])
  const picture = await screenWith('😀\x1b[6n')
  expect(picture.picture()).toEndWith('\x1b[1;3H')
})

test('a full-screen program leaves what was there before', async () => {
  const screen = await screenWith('before\r\n\x1b[?1049h\x1b[H\x1b[2Jfull screen')
  expect(screen.lines(true)).toEqual(['full screen', '', '', ''])
  await screen.draw('\x1b[?1049l')
  expect(screen.lines(true)).toEqual(['before', '', '', ''])
})

test('another width wraps the lines anew', async () => {
  const screen = await screenWith('0123456789abcdefghij0123456789\r\n')
  screen.resize({ columns: 30, rows: 4 })
  expect(screen.lines(false)[0]).toBe('0123456789abcdefghij0123456789')
})

test('questions of a program are answered', async () => {
  const answers: string[] = []
  const screen = new Screen(small, (text) => answers.push(text))
  await screen.draw('ab\x1b[6n\x1b[c')
  expect(answers).toEqual(['\x1b[1;3R', '\x1b[?1;2c'])
})

test('a program says how it wants the arrow keys', async () => {
  const screen = await screenWith('\x1b[?1h')
  expect(screen.keyModes.applicationCursor).toBe(true)
  await screen.draw('\x1b[?1l')
  expect(screen.keyModes.applicationCursor).toBe(false)
})

test('a picture shows the same text and cursor on another terminal', async () => {
  const screen = await screenWith('日本 wide\r\n\x1b[31mred\x1b[m\r\n01234567890123456789\x1b[2;3H')
  const other = await screenWith(`something else\r\n\r\n\r\n\r\n\r\n${screen.picture()}`)
  expect(other.lines(false)).toEqual(screen.lines(false))
  expect(other.picture()).toBe(screen.picture())
})

test('a text of any length is drawn whole', async () => {
  const text = Array.from({ length: 3_000 }, (_, n) => `😀${n}`).join('')
  const screen = await screenWith(text, { columns: 500, rows: 100 })
  expect(screen.lines(true).join('')).toBe(text)
})

test('it draws at once: an error of the emulator is then ours to catch, and does not end the server', async () => {
  const screen = new Screen(small, () => {})
  const microtasks = Array(20).fill(Promise.resolve())
  void screen.draw('first')
  for (const microtask of microtasks) await microtask
  expect(screen.lines(false)[0]).toBe('first')
})

/** Each would be carried out two billion times. */
test.each(['I', 'Z', 'L', 'M', 'S', 'T', 'b'])(
  'a number that no screen has makes CSI %s void',
  async (final) => {
    const screen = await screenWith(`a\x1b[2147483647${final}\x1b[21${final}\x9b2147483647${final}b`)
    expect(screen.lines(false)).toEqual(['ab', '', '', ''])
  },
)

test('numbers that a screen has are obeyed', async () => {
  const screen = await screenWith('1\r\n2\r\n3\x1b[1;1H\x1b[2Lx\x1b[3b')
  expect(screen.lines(false)).toEqual(['xxxx', '', '1', '2'])
})

test('links are text, and nothing more is kept of them', async () => {
  const screen = await screenWith('\x1b]8;;http://example.com\x07link\x1b]8;;\x07 text')
  expect(screen.lines(false)[0]).toBe('link text')
})

test('a hundred thousand links in one line cost no memory', async () => {
  const screen = await screenWith('')
  const before = process.memoryUsage().rss
  for (let n = 0; n < 100; n++) {
    const links = Array.from(
      { length: 1_000 },
      (_, m) => `\x1b]8;;http://example.com/${n}/${m}\x07a\x1b]8;;\x07\r`,
    )
    await screen.draw(links.join(''))
  }
  Bun.gc(true)
  // Kept, they would be 360 MB.
  expect(process.memoryUsage().rss - before).toBeLessThan(120_000_000)
  expect(screen.lines(false)[0]).toBe('a')
})
