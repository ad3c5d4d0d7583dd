/** Keeps the emulator from sequences of a few bytes that would cost it hours, or memory without bound. */
import type { Terminal as Emulator } from '@xterm/headless'

/**
 * Sequences that are carried out once for each time that their number says, even two billion times: tabs forth and back,
 * insert and delete lines, scroll up and down, repeat a character.
 */
const REPEATED = ['I', 'Z', 'L', 'M', 'S', 'T', 'b']
/** Links are kept for as long as their line, however many of them a program puts on it. */
const HYPERLINK = 8

/** From here on a number that is larger than the screen makes such a sequence void. */
export function guard(emulator: Emulator): void {
  for (const final of REPEATED) {
    emulator.parser.registerCsiHandler({ final }, ([first = 1]) => {
      const count = typeof first === 'number' ? first : 1
      return count > Math.max(emulator.cols, emulator.rows)
    })
  }
  // The link's text is shown; where it leads is not.
  emulator.parser.registerOscHandler(HYPERLINK, () => true)
}
