import { expect, test } from 'bun:test'
import { encodeKey, isKeyName } from '../../../src/server/terminal/keys.ts'

const normal = { applicationCursor: false }
const application = { applicationCursor: true }

/** As tmux 3.3a sends them to a program, but Home and End, which there follow TERM=screen, and KPEnter. */
const sent: Readonly<Record<string, string>> = {
  Enter: '\r',
  KPEnter: '\r',
  Tab: '\t',
  BTab: '\x1b[Z',
  'S-Tab': '\x1b[Z',
  BSpace: '\x7f',
  Escape: '\x1b',
  Space: ' ',
  Up: '\x1b[A',
  Down: '\x1b[B',
  Right: '\x1b[C',
  Left: '\x1b[D',
  Home: '\x1b[H',
  End: '\x1b[F',
  PPage: '\x1b[5~',
  PageUp: '\x1b[5~',
  PgUp: '\x1b[5~',
  NPage: '\x1b[6~',
  PageDown: '\x1b[6~',
  PgDn: '\x1b[6~',
  IC: '\x1b[2~',
  Insert: '\x1b[2~',
  DC: '\x1b[3~',
  Delete: '\x1b[3~',
  F1: '\x1bOP',
  F4: '\x1bOS',
  F5: '\x1b[15~',
  F6: '\x1b[17~',
  F10: '\x1b[21~',
  F11: '\x1b[23~',
  F12: '\x1b[24~',
  'C-c': '\x03',
  'C-A': '\x01',
  '^c': '\x03',
  '^[': '\x1b',
  '^^': '\x1e',
  'C-Space': '\0',
  'C-@': '\0',
  'C-2': '\0',
  'C-[': '\x1b',
  'C-\\': '\x1c',
  'C-]': '\x1d',
  'C-^': '\x1e',
  'C-_': '\x1f',
  'C--': '\x1f',
  'C-/': '\x1f',
  'C-?': '\x7f',
  'M-x': '\x1bx',
  'M-X': '\x1bX',
  'M--': '\x1b-',
  'M-é': '\x1bé',
  'M-Enter': '\x1b\r',
  'M-Escape': '\x1b\x1b',
  'M-BSpace': '\x1b\x7f',
  'C-M-x': '\x1b\x18',
  'M-C-x': '\x1b\x18',
  'S-Up': '\x1b[1;2A',
  'M-Up': '\x1b[1;3A',
  'C-Up': '\x1b[1;5A',
  'C-S-Up': '\x1b[1;6A',
  'C-Left': '\x1b[1;5D',
  'C-Home': '\x1b[1;5H',
  'S-End': '\x1b[1;2F',
  'C-DC': '\x1b[3;5~',
  'S-IC': '\x1b[2;2~',
  'C-PPage': '\x1b[5;5~',
  'M-NPage': '\x1b[6;3~',
  'C-F5': '\x1b[15;5~',
  'S-F1': '\x1b[1;2P',
  'M-F12': '\x1b[24;3~',
  KP0: '0',
  'KP+': '+',
  // Names in any case.
  enter: '\r',
  UP: '\x1b[A',
  'c-x': '\x18',
  's-up': '\x1b[1;2A',
}

test('a key name is sent as tmux sends it', () => {
  const names = Object.keys(sent)
  expect(Object.fromEntries(names.map((name) => [name, encodeKey(name, normal)]))).toEqual(sent)
  expect(names.filter((name) => !isKeyName(name))).toEqual([])
})

test('arrows, Home and End are others where a program asks for it; F keys and modified ones are not', () => {
  const names = ['Up', 'Down', 'Right', 'Left', 'Home', 'End', 'F1', 'PPage', 'C-Up']
  expect(names.map((name) => encodeKey(name, application))).toEqual(
    ['OA', 'OB', 'OC', 'OD', 'OH', 'OF', 'OP', '[5~', '[1;5A'].map((rest) => `\x1b${rest}`),
  )
})

test('what is no key name is typed as it is', () => {
  const texts = [
    ...[
      'hello',
      'a',
      'é',
      '^',
      'C-',
      'M-',
      'C-xy',
      'S-a',
      'F13',
      'Any',
      'None',
      'MouseDown1Pane',
      '',
      'constructor',
    ],
    ...['echo hi\n', 'M-x and more', '日本', '-', 'UpDown'],
  ]
  expect(texts.map((text) => encodeKey(text, normal))).toEqual(texts)
  expect(texts.filter(isKeyName)).toEqual([])
})

test('some keys have a name, and no terminal can send them', () => {
  const names = ['C-Enter', 'C-1', 'C-é', 'C-;', 'S-Enter', 'C-Tab']
  expect(names.filter((name) => encodeKey(name, normal) !== null)).toEqual([])
})
