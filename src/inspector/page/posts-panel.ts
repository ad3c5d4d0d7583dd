/** Posts as bars: each as long as it took, with a mark where each of its calls came back. */
import type { SystemState } from '../system-state.ts'
import { element, replaceWhen, setText, the } from './dom.ts'
import { actorName, callText, count, duration, endingText, moment, placeOf } from './format.ts'
import type { View } from './playback.ts'
import type { CallEntry, PostEntry } from './recording.ts'

const shownPosts = 30
const barWidth = 1_000
const barHeight = 20

export class PostsPanel {
  readonly #list = the('posts', HTMLElement)
  readonly #count = the('posts-count', HTMLElement)
  readonly #select: (actor: number) => void
  #open: number | undefined

  constructor(select: (actor: number) => void) {
    this.#select = select
  }

  render(view: View): void {
    const { recording, state, position } = view
    const end = recording.posts.findLastIndex((post) => post.position < position) + 1
    const posts = recording.posts.slice(Math.max(0, end - shownPosts), end).reverse()
    const longest = Math.max(1, ...posts.map((post) => lengthOf(post, state.ms)))
    setText(
      this.#count,
      posts.length === 0 ? 'none yet' : `the last ${count(posts.length)}; a full bar is ${duration(longest)}`,
    )
    const key = `${this.#open} ${state.n} ${position} ${recording.header.startedAt}`
    replaceWhen(this.#list, key, () => posts.map((post) => this.#item(post, view, longest)))
  }

  #item(post: PostEntry, { state }: View, longest: number): HTMLElement {
    const now = state.ms
    const back = post.calls.filter((call) => isBack(call, now)).length
    const length = lengthOf(post, now)
    const isDone = back === post.calls.length
    const numbers = `#${post.number} · ${count(post.calls.length)} ${post.calls.length === 1 ? 'call' : 'calls'}`
    const time = isDone ? duration(length) : `${back} back, ${duration(length)} so far`
    const button = element(
      'button',
      { type: 'button', class: 'post-head', 'aria-expanded': String(this.#open === post.number) },
      element('span', { class: 'post-name' }, numbers),
      element(
        'span',
        { class: 'quiet' },
        `${time} · ${moment(post.ms)} · ${actorName(state.actors[post.actor])}`,
      ),
    )
    button.addEventListener('click', () => {
      this.#open = this.#open === post.number ? undefined : post.number
    })
    const calls = this.#open === post.number ? [this.#calls(post, state)] : []
    return element('li', {}, button, bar(post, now, longest), ...calls)
  }

  #calls(post: PostEntry, { ms: now, actors }: SystemState): HTMLElement {
    const rows = post.calls.map((call) => {
      const { tool, text } = callText(call)
      const back = isBack(call, now) ? `after ${duration((call.endedAt ?? now) - post.ms)}` : 'not back yet'
      const ending = isBack(call, now) && call.ended !== undefined ? endingText(call.ended) : ''
      const button = element('button', { type: 'button', class: 'link' }, `${tool} ${text.split('\n', 1)[0]}`)
      button.addEventListener('click', () => this.#select(call.actor))
      const actor = actors[call.actor]
      const slot = actor === undefined ? '' : `${placeOf(actor).slot} `
      return element('li', {}, slot, button, element('span', { class: 'quiet' }, ` ${back} ${ending}`))
    })
    return element('ol', { class: 'post-calls' }, ...rows)
  }
}

const svgNamespace = 'http://www.w3.org/2000/svg'

function bar(post: PostEntry, now: number, longest: number): SVGElement {
  const svg = shape('svg', {
    class: 'bar',
    viewBox: `0 0 ${barWidth} ${barHeight}`,
    preserveAspectRatio: 'none',
  })
  svg.setAttribute('aria-hidden', 'true')
  const scale = barWidth / longest
  const width = Math.max(4, lengthOf(post, now) * scale)
  svg.append(
    shape('rect', {
      class: 'bar-all',
      x: '0',
      y: '4',
      width: width.toFixed(1),
      height: String(barHeight - 8),
    }),
  )
  for (const call of post.calls) {
    if (!isBack(call, now) || call.endedAt === undefined) continue
    const x = Math.min(barWidth - 3, (call.endedAt - post.ms) * scale)
    const name = call.ended?.success ? 'bar-good' : 'bar-bad'
    // One that failed stands out of the bar.
    const y = call.ended?.success ? '4' : '0'
    const height = call.ended?.success ? barHeight - 8 : barHeight
    svg.append(shape('rect', { class: name, x: x.toFixed(1), y, width: '3', height: String(height) }))
  }
  return svg
}

function shape(tag: string, attributes: Readonly<Record<string, string>>): SVGElement {
  const made = document.createElementNS(svgNamespace, tag)
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value)
  if (!(made instanceof SVGElement)) throw new Error(`No shape ${tag}`)
  return made
}

function isBack(call: CallEntry, now: number): boolean {
  return call.endedAt !== undefined && call.endedAt <= now
}

/** Until its last call came back, or till now. */
function lengthOf(post: PostEntry, now: number): number {
  const ends = post.calls.map((call) => (isBack(call, now) ? (call.endedAt ?? now) : now))
  return Math.max(0, ...ends.map((end) => end - post.ms))
}
