/** Finds an execution, a slot or a trajectory. */
import { element, the } from './dom.ts'
import { actorName, callText, endingText } from './format.ts'
import type { Recording } from './recording.ts'

/** What was found, and where to go for it. */
interface Found {
  readonly text: string
  readonly about: string
  readonly actor: number
  /** When it is a call: its executionId. */
  readonly executionId?: string
}

const shownAtMost = 8

export class Search {
  readonly #input = the('search', HTMLInputElement)
  readonly #list = the('found', HTMLElement)
  readonly #recording: () => Recording
  readonly #go: (actor: number, executionId: string | undefined) => void

  constructor(recording: () => Recording, go: (actor: number, executionId: string | undefined) => void) {
    this.#recording = recording
    this.#go = go
    this.#input.addEventListener('input', () => this.#render())
    this.#input.addEventListener('keydown', (event) => {
      if (event.key === 'Escape') this.#close()
      if (event.key === 'ArrowDown') this.#focusFirst(event)
    })
    the('search-form', HTMLFormElement).addEventListener('submit', (event) => {
      event.preventDefault()
      const [first] = this.#find()
      if (first !== undefined) this.#take(first)
    })
    this.#list.addEventListener('keydown', (event) => {
      if (event.key === 'Escape') this.#close()
    })
  }

  focus(): void {
    this.#input.focus()
    this.#input.select()
  }

  #find(): Found[] {
    const text = this.#input.value.trim().toLowerCase()
    if (text === '') return []
    const { calls, head } = this.#recording()
    const found: Found[] = []
    for (const actor of head.actors) {
      if (found.length >= shownAtMost) return found
      const isNamed =
        actor.id.toLowerCase().endsWith(text) || (actor.trajectoryId ?? '').toLowerCase() === text
      if (isNamed) found.push({ text: actorName(actor), about: actor.state, actor: actor.actor })
    }
    for (const call of [...calls.values()].reverse()) {
      if (found.length >= shownAtMost) break
      const { executionId, actor, ended, trajectoryId } = call
      const isNamed =
        executionId.toLowerCase().startsWith(text) || (trajectoryId ?? '').toLowerCase().includes(text)
      if (!isNamed) continue
      const { tool } = callText(call)
      const about = `${tool} · ${actorName(head.actors[actor])} · ${ended === undefined ? 'under way' : endingText(ended)}`
      found.push({ text: executionId, about, actor, executionId })
    }
    return found
  }

  #render(): void {
    const found = this.#find()
    this.#list.hidden = this.#input.value.trim() === ''
    this.#list.replaceChildren(
      ...(found.length === 0 ? [element('p', { class: 'quiet' }, 'Nothing found')] : []),
      ...found.map((each) => {
        const option = element(
          'button',
          { type: 'button', role: 'option', 'aria-selected': 'false' },
          element('code', {}, each.text),
          element('span', { class: 'quiet' }, each.about),
        )
        option.addEventListener('click', () => this.#take(each))
        return option
      }),
    )
  }

  #take({ actor, executionId }: Found): void {
    this.#close()
    this.#go(actor, executionId)
  }

  #close(): void {
    this.#list.hidden = true
  }

  #focusFirst(event: KeyboardEvent): void {
    const first = this.#list.querySelector('button')
    if (first === null) return
    event.preventDefault()
    first.focus()
  }
}
