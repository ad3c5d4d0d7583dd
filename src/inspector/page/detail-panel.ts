/** What is selected: a slot with its trajectory, call, queue, path and results; or a coordinator. */
import type { CurrentCall, StepRecord } from '../records.ts'
import type { LiveActor } from '../system-state.ts'
import { element, replaceWhen, setText, the } from './dom.ts'
import { actorName, callText, count, duration, endingText, moment, shortId } from './format.ts'
import type { View } from './playback.ts'
import type { CallEntry } from './recording.ts'
import { letterOf, tagOf } from './slot-tags.ts'

const shownResults = 8
const shownSteps = 10

export class DetailPanel {
  readonly #title = the('detail-title', HTMLElement)
  readonly #body = the('detail', HTMLElement)
  readonly #clear = the('clear', HTMLButtonElement)
  /** Results whose output is open. */
  readonly #open = new Set<string>()

  constructor(clear: () => void) {
    this.#clear.addEventListener('click', clear)
  }

  render(view: View, selected: number | undefined): void {
    const actor = selected === undefined ? undefined : view.state.actors[selected]
    this.#clear.hidden = selected === undefined
    setText(this.#title, actor === undefined ? 'Nothing selected' : actorName(actor))
    const key =
      actor === undefined ? `none ${selected}` : `${actor.actor} ${actor.n} ${view.position === actor.n}`
    replaceWhen(this.#body, key, () => this.#content(view, actor, selected))
  }

  #content(view: View, actor: LiveActor | undefined, selected: number | undefined): readonly HTMLElement[] {
    if (actor === undefined) {
      const hint =
        selected === undefined
          ? 'Select a slot in the grid, a container by its heading, or a step in the timeline.'
          : 'It does not exist at this moment of the recording.'
      return [element('p', { class: 'quiet' }, hint)]
    }
    const facts = actor.chart === 'slot' ? this.#slot(view, actor) : coordinatorFacts(actor)
    return [...facts, heading('Path'), pathList(view, actor)]
  }

  #slot(view: View, actor: LiveActor): HTMLElement[] {
    const results = this.#results(view, actor)
    const tag = tagOf(actor)
    const state = element(
      'span',
      {},
      element('span', { class: `mark tag-${tag}`, 'aria-hidden': 'true' }, letterOf(tag)),
      ` ${actor.state}${actor.stopped ? ', stopped' : ''}`,
    )
    return [
      facts([
        ['State', state],
        ['Since', moment(actor.since)],
        ['Trajectory', actor.trajectoryId ?? 'none'],
        ['Calls', `${count(actor.calls)} ended, ${count(actor.failures)} without success`],
      ]),
      heading('Current call'),
      actor.call === null ? quiet('none') : currentCall(actor.call, view.state.ms),
      heading(`Queue (${count(actor.waiting.length)})`),
      queue(actor.waiting, view.state.ms),
      heading('Last results'),
      results.length === 0
        ? quiet('none recorded')
        : element('ol', { class: 'results' }, ...results.map((call) => this.#result(call))),
    ]
  }

  #results({ recording, position }: View, actor: LiveActor): CallEntry[] {
    const seen = new Set<string>()
    const entries = recording.entriesOf(actor.actor, position, 200).reverse()
    return entries
      .flatMap(({ record }) => {
        const id =
          record.kind === 'step' && record.actions.includes('settle') ? record.ended?.executionId : undefined
        const call = id === undefined || seen.has(id) ? undefined : recording.calls.get(id)
        if (id !== undefined) seen.add(id)
        return call ?? []
      })
      .slice(0, shownResults)
  }

  #result(call: CallEntry): HTMLElement {
    const { ended, endedAt = call.came, executionId } = call
    const { tool, text } = callText(call)
    const started = call.started ?? call.came
    const times = [
      `waited ${duration(started - call.came)}`,
      `took ${duration(endedAt - started)}`,
      ...(ended?.toolMs === undefined ? [] : [`tool ${duration(ended.toolMs)}`]),
    ]
    const isGood = ended?.success === true
    const summary = element(
      'summary',
      {},
      element(
        'span',
        { class: `ending ${isGood ? 'good' : 'bad'}` },
        ended === undefined ? '' : endingText(ended),
      ),
      element('code', {}, `${tool} ${firstLine(text)}`),
    )
    const details = element(
      'details',
      {},
      summary,
      element('p', { class: 'quiet' }, `${times.join(' · ')} · ${executionId}`),
      ...output(ended?.error, 'error'),
      ...output(ended?.output, 'output'),
    )
    details.open = this.#open.has(executionId)
    details.addEventListener('toggle', () => {
      if (details.open) this.#open.add(executionId)
      else this.#open.delete(executionId)
    })
    return element('li', {}, details)
  }
}

function coordinatorFacts(actor: LiveActor): HTMLElement[] {
  const regions = actor.state.split(' ').map((leaf): [string, string] => {
    const [region = '', ...state] = leaf.split('.')
    return [region, state.join('.')]
  })
  return [facts([...regions, ['Since', moment(actor.since)]])]
}

function facts(pairs: readonly (readonly [string, string | HTMLElement])[]): HTMLElement {
  return element(
    'dl',
    { class: 'facts' },
    ...pairs.map(([name, value]) => element('div', {}, element('dt', {}, name), element('dd', {}, value))),
  )
}

function currentCall(call: CurrentCall, now: number): HTMLElement {
  const { tool, text } = callText(call)
  const told = call.told ? ' · given up, the server has not answered' : ''
  return element(
    'div',
    { class: 'call' },
    element('code', {}, `${tool} ${text}`),
    element(
      'p',
      { class: 'quiet' },
      `for ${duration(Math.max(0, now - (call.started ?? call.came)))} · ${call.executionId}${told}`,
    ),
  )
}

function queue(waiting: readonly CurrentCall[], now: number): HTMLElement {
  if (waiting.length === 0) return quiet('empty')
  const shown = waiting.slice(0, 5).map((call) => {
    const { tool, text } = callText(call)
    const since = ` ${duration(Math.max(0, now - call.came))}`
    return element(
      'li',
      {},
      element('code', {}, `${tool} ${firstLine(text)}`),
      element('span', { class: 'quiet' }, since),
    )
  })
  const more = waiting.length - shown.length
  return element(
    'ol',
    { class: 'queue' },
    ...shown,
    ...(more > 0 ? [element('li', {}, `and ${count(more)} more`)] : []),
  )
}

/** The steps that brought the actor where it is, the newest first. */
function pathList({ recording, position }: View, actor: LiveActor): HTMLElement {
  const steps = recording.entriesOf(actor.actor, position, shownSteps).reverse()
  const items = steps.flatMap(({ record }) => (record.kind === 'step' ? [pathItem(record)] : []))
  return items.length === 0 ? quiet('no step recorded') : element('ol', { class: 'path' }, ...items)
}

function pathItem({ ms, event, state, edges, ended, next }: StepRecord): HTMLElement {
  const about = [
    ended === undefined ? '' : shortId(ended.executionId),
    next === undefined ? '' : `next ${shortId(next)}`,
  ]
  return element(
    'li',
    {},
    element('time', {}, moment(ms)),
    element('code', {}, event),
    element('span', { class: 'to' }, edges.length === 0 ? '(ignored)' : `→ ${state}`),
    element('span', { class: 'quiet' }, about.filter((text) => text !== '').join(' ')),
  )
}

function output(text: string | undefined, name: string): HTMLElement[] {
  return text === undefined || text === ''
    ? []
    : [element('pre', { 'aria-label': name, tabindex: '0' }, text)]
}

function heading(text: string): HTMLElement {
  return element('h3', {}, text)
}

function quiet(text: string): HTMLElement {
  return element('p', { class: 'quiet' }, text)
}

function firstLine(text: string): string {
  return text.split('\n', 1)[0] ?? ''
}
