/** What the timeline shows. */
import type { LiveActor } from '../system-state.ts'
import { element, the } from './dom.ts'
import { placeOf, recordText, shortContainer } from './format.ts'
import type { View } from './playback.ts'
import type { Entry } from './recording.ts'

export class Filters {
  readonly #form = the('filters', HTMLFormElement)
  readonly #container = the('filter-container', HTMLSelectElement)
  readonly #event = the('filter-event', HTMLSelectElement)
  readonly #slot = the('filter-slot', HTMLInputElement)
  readonly #trajectory = the('filter-trajectory', HTMLInputElement)
  readonly #text = the('filter-text', HTMLInputElement)
  readonly #containers = new Set<string>()
  readonly #events = new Set<string>()

  constructor(changed: () => void) {
    this.clearChoices()
    this.#form.addEventListener('input', changed)
    this.#form.addEventListener('reset', () => setTimeout(changed))
    this.#form.addEventListener('submit', (event) => event.preventDefault())
  }

  /** Says which filters are set: equal keys let the same entries through. */
  get key(): string {
    return JSON.stringify(this.#values())
  }

  /** A function that says whether an entry is shown. */
  matcher({ state }: View): (entry: Entry) => boolean {
    const { container, event, slot, trajectory, text } = this.#values()
    const needle = text.toLowerCase()
    return (entry) => {
      const { record, trajectoryId } = entry
      if (record.kind === 'state') return container + event + slot + trajectory + text === ''
      const actor = state.actors[record.actor]
      const place = actor === undefined ? { container: '', slot: '' } : placeOf(actor)
      if (container !== '' && place.container !== container) return false
      if (event !== '' && (record.kind !== 'step' || record.event !== event)) return false
      if (slot !== '' && place.slot !== slot) return false
      if (trajectory !== '' && !(trajectoryId ?? '').includes(trajectory)) return false
      return (
        needle === '' ||
        JSON.stringify(record).toLowerCase().includes(needle) ||
        recordText(record, state).toLowerCase().includes(needle)
      )
    }
  }

  /** Offers what was recorded. */
  learn(actor: LiveActor | undefined, event: string): void {
    if (!this.#events.has(event)) this.#offer(this.#event, this.#events, event, event)
    if (actor === undefined) return
    const { container } = placeOf(actor)
    if (!this.#containers.has(container)) {
      this.#offer(this.#container, this.#containers, container, shortContainer(container))
    }
  }

  clearChoices(): void {
    for (const [select, known] of [
      [this.#container, this.#containers],
      [this.#event, this.#events],
    ] as const) {
      known.clear()
      select.replaceChildren(element('option', { value: '' }, 'all'))
    }
  }

  #offer(select: HTMLSelectElement, known: Set<string>, value: string, text: string): void {
    known.add(value)
    const option = element('option', { value }, text)
    const after = [...select.options].find((each) => each.value !== '' && each.text > text)
    select.insertBefore(option, after ?? null)
  }

  #values() {
    return {
      container: this.#container.value,
      event: this.#event.value,
      slot: this.#slot.value.trim(),
      trajectory: this.#trajectory.value.trim(),
      text: this.#text.value.trim(),
    }
  }
}
