/** The page: reads what the program records, and shows it. */
import { charts } from '../charts.ts'
import { ChartsPanel } from './charts-panel.ts'
import { Controls } from './controls.ts'
import { DetailPanel } from './detail-panel.ts'
import { setText, the } from './dom.ts'
import { type Connection, follow, loadTrace, recordingOf, traceText } from './feed.ts'
import { Grid } from './grid.ts'
import { Paced } from './paced.ts'
import { type Mode, Playback, type View } from './playback.ts'
import { PoolPanel } from './pool-panel.ts'
import { PostsPanel } from './posts-panel.ts'
import type { Recording } from './recording.ts'
import { Search } from './search.ts'
import { Timeline } from './timeline.ts'
import { TotalsPanel } from './totals-panel.ts'

/** While all goes on by itself, a picture follows another one so soon at most: more takes time from the program. */
const drawEveryMs = 250

/** On a busy machine a picture is late, and the next one waits so many times as long as this one took, within a limit. */
const restShare = 10
const drawAtLeastEveryMs = 1_000

const replayEveryMs = 33

class Page {
  readonly #status = the('status', HTMLElement)
  readonly #problem = the('problem', HTMLElement)
  readonly #totals = new TotalsPanel()
  readonly #pool = new PoolPanel()
  readonly #grid = new Grid((actor) => this.select(actor))
  readonly #detail = new DetailPanel(() => this.select(undefined))
  readonly #charts = new ChartsPanel()
  readonly #posts = new PostsPanel((actor) => this.select(actor))
  readonly #timeline = new Timeline(
    ({ position, record }) => {
      if (record.kind !== 'state') this.#selected = record.actor
      this.#playback.goTo(position + 1)
      this.#changed()
    },
    () => this.#changed(),
  )
  readonly #lists = [
    this.#paced('posts-panel', { live: 400, replay: 400, paused: 0 }, (view) => this.#posts.render(view)),
    this.#paced('timeline-panel', { live: 400, replay: 0, paused: 0 }, (view) => this.#timeline.render(view)),
  ]
  readonly #lit = new Set<string>()
  #recording: Recording
  #playback: Playback
  #connection: Connection = 'none'
  #selected: number | undefined
  #frameDueAt = Number.POSITIVE_INFINITY
  #nextDrawAt = 0
  #isAwaited = false
  #restMs = drawEveryMs

  constructor(recording: Recording) {
    this.#recording = recording
    this.#playback = new Playback(recording)
    const search = new Search(
      () => this.#recording,
      (actor, executionId) => this.#find(actor, executionId),
    )
    this.#controls = new Controls(
      () => this.#playback,
      () => this.#changed(),
      () => search.focus(),
    )
    the('export', HTMLButtonElement).addEventListener('click', () => this.#export())
    const open = the('open', HTMLInputElement)
    open.addEventListener('change', () => void this.#open(open))
    the('posts', HTMLElement).addEventListener('click', () => this.#changed())
    this.#changed()
    if (recording.header.live) this.#follow(recording)
  }

  readonly #controls: Controls

  select(actor: number | undefined): void {
    this.#selected = actor
    const chart = actor === undefined ? undefined : this.#recording.head.actors[actor]?.chart
    if (chart !== undefined && charts.some((drawing) => drawing.chart === chart)) this.#charts.show(chart)
    this.#changed()
  }

  #follow(recording: Recording): void {
    const stop = follow(recording, {
      onRecords: (records) => {
        if (this.#recording !== recording) return stop()
        for (const record of records) {
          recording.push(record)
          if (this.#playback.mode === 'live' && record.kind === 'step')
            for (const edge of record.edges) this.#lit.add(edge)
        }
        this.#drawAt(this.#nextDrawAt)
      },
      onConnection: (connection) => {
        this.#connection = connection
        this.#changed()
      },
    })
  }

  #paced(id: string, everyMs: Readonly<Record<Mode, number>>, draw: (view: View) => void): Paced {
    const paced = new Paced(everyMs, () => draw(this.#playback.view()))
    const observer = new IntersectionObserver((entries) => {
      const comes = !paced.isSeen
      paced.isSeen = entries.at(-1)?.isIntersecting ?? true
      if (comes && paced.isSeen) this.#changed()
    })
    observer.observe(the(id, HTMLElement))
    return paced
  }

  /** Somebody did something: it is shown at once. */
  #changed(): void {
    this.#isAwaited = true
    this.#drawAt(0)
  }

  #drawAt(due: number): void {
    if (due >= this.#frameDueAt) return
    this.#frameDueAt = due
    const asked = performance.now()
    const ask = () => requestAnimationFrame((now) => this.#frame(now, due, Math.max(due, asked)))
    if (due <= asked) ask()
    else setTimeout(ask, due - asked)
  }

  #frame(now: number, due: number, wanted: number): void {
    // One that was asked for sooner has been here.
    if (due !== this.#frameDueAt) return
    this.#frameDueAt = Number.POSITIVE_INFINITY
    const shown = this.#playback.advance(now)
    if (shown > 0) this.#lightLast(shown)
    const behindAt = this.#draw(now)
    const isReplay = this.#playback.mode === 'replay'
    this.#nextDrawAt = now + (isReplay ? replayEveryMs : this.#restMs)
    if (isReplay || this.#charts.isLit) this.#drawAt(this.#nextDrawAt)
    else if (behindAt < Number.POSITIVE_INFINITY) this.#drawAt(Math.max(behindAt, this.#nextDrawAt))
    // After the browser's own part of the work: layout and paint.
    setTimeout(() => {
      const took = performance.now() - wanted
      this.#restMs = Math.min(drawAtLeastEveryMs, Math.max(drawEveryMs, took * restShare))
    })
  }

  /** Gives when a list that was left as it is wants to be drawn. */
  #draw(now: number): number {
    const began = performance.now()
    const view = this.#playback.view()
    // First, since it asks for its size: after changes that would lay out the page once more.
    this.#grid.render(view, this.#selected)
    this.#totals.render(view)
    this.#pool.render(view)
    this.#detail.render(view, this.#selected)
    this.#charts.render(view, this.#selected)
    const behindAt = Math.min(...this.#lists.map((list) => list.render(view.mode, now, this.#isAwaited)))
    this.#isAwaited = false
    this.#controls.render(view)
    this.#charts.light(this.#lit, now)
    this.#lit.clear()
    this.#tell()
    performance.clearMeasures('redraw')
    performance.measure('redraw', { start: began })
    return behindAt
  }

  #tell(): void {
    const { live } = this.#recording.header
    const mode = live
      ? this.#playback.mode
      : this.#playback.mode === 'paused'
        ? 'recorded'
        : this.#playback.mode
    const shown = live && this.#connection === 'lost' ? 'program ended' : mode
    setText(this.#status, shown)
    this.#status.dataset.mode = shown
  }

  #lightLast(count: number): void {
    const { position } = this.#playback.view()
    for (const record of this.#recording.history.slice(position - count, position)) {
      if (record.kind === 'step') for (const edge of record.edges) this.#lit.add(edge)
    }
  }

  #find(actor: number, executionId: string | undefined): void {
    this.select(actor)
    if (executionId === undefined) return
    const entries = this.#recording.entriesOf(actor, this.#recording.history.end, 400)
    const entry = entries.find(
      ({ record }) => record.kind === 'step' && record.ended?.executionId === executionId,
    )
    if (entry !== undefined) {
      this.#playback.goTo(entry.position + 1)
      this.#changed()
    }
  }

  #export(): void {
    const url = URL.createObjectURL(new Blob([traceText(this.#recording)], { type: 'application/x-ndjson' }))
    const link = document.createElement('a')
    link.href = url
    link.download = `trace-${new Date(this.#recording.header.startedAt).toISOString().replace(/[:.]/g, '-')}.jsonl`
    link.click()
    setTimeout(() => URL.revokeObjectURL(url), 10_000)
  }

  async #open(input: HTMLInputElement): Promise<void> {
    const [file] = input.files ?? []
    input.value = ''
    if (file === undefined) return
    try {
      this.#recording = recordingOf(await file.text())
      this.#playback = new Playback(this.#recording)
      this.#selected = undefined
      this.#problem.hidden = true
    } catch (error) {
      this.#problem.hidden = false
      setText(
        this.#problem,
        `Cannot open ${file.name}: ${error instanceof Error ? error.message : String(error)}`,
      )
    }
    this.#changed()
  }
}

try {
  new Page(await loadTrace())
} catch (error) {
  const problem = the('problem', HTMLElement)
  problem.hidden = false
  setText(problem, `Cannot read the recording: ${error instanceof Error ? error.message : String(error)}`)
}
