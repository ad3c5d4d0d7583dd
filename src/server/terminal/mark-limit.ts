/** Characters without a width join the one before them: without a limit one cell of the screen could grow for ever. */

const MAX_MARKS = 8
const pastAscii = /[^\p{ASCII}]/u
const tooMany = new RegExp(`([\\p{M}\\p{Cf}]{${MAX_MARKS}})[\\p{M}\\p{Cf}]+`, 'gu')
const marksAtEnd = /[\p{M}\p{Cf}]*$/u

/** Drops what follows the eighth mark in a row, also from text to text. */
export class MarkLimit {
  /** The marks that the text before ended with. */
  #before = ''

  apply(text: string): string {
    if (this.#before === '' && !pastAscii.test(text)) return text
    const limited = (this.#before + text).replaceAll(tooMany, '$1')
    const result = limited.slice(this.#before.length)
    const [atEnd = ''] = marksAtEnd.exec(limited) ?? []
    this.#before = atEnd
    return result
  }
}
