/** Cells of the grid, drawn once for each state and size: copying a picture is what makes 10,000 of them fluid. */
import { type SlotTag, slotTags } from './slot-tags.ts'

export interface Colours {
  readonly fill: string
  readonly ink: string
}

/** The page's colours, as its style sheet has them now. */
export function coloursOf(tag: SlotTag): Colours {
  const style = getComputedStyle(document.documentElement)
  return {
    fill: style.getPropertyValue(`--state-${tag}`).trim(),
    ink: style.getPropertyValue(`--state-${tag}-ink`).trim(),
  }
}

export function makeSprites(size: number, scale: number): Map<SlotTag, HTMLCanvasElement> {
  return new Map(slotTags.map(({ tag, letter }) => [tag, sprite(tag, letter, size, scale)]))
}

function sprite(tag: SlotTag, letter: string, size: number, scale: number): HTMLCanvasElement {
  const canvas = document.createElement('canvas')
  canvas.width = Math.ceil(size * scale)
  canvas.height = Math.ceil(size * scale)
  const context = canvas.getContext('2d')
  if (context === null) return canvas
  context.scale(scale, scale)
  drawCell(context, { tag, letter, size, ...coloursOf(tag) })
  return canvas
}

interface Cell extends Colours {
  readonly tag: SlotTag
  readonly letter: string
  readonly size: number
}

function drawCell(context: CanvasRenderingContext2D, { tag, letter, size, fill, ink }: Cell): void {
  const radius = size > 16 ? 5 : 2
  context.beginPath()
  context.roundRect(0.75, 0.75, size - 1.5, size - 1.5, radius)
  if (tag === 'idle') {
    context.strokeStyle = fill
    context.lineWidth = 1.25
    context.stroke()
    return
  }
  context.fillStyle = fill
  context.fill()
  if (size < 12) drawShape(context, tag, size, ink)
  else drawLetter(context, letter, size, ink)
}

function drawLetter(context: CanvasRenderingContext2D, letter: string, size: number, ink: string): void {
  context.fillStyle = ink
  context.font = `600 ${Math.round(size * (size > 16 ? 0.52 : 0.75))}px system-ui, sans-serif`
  context.textAlign = 'center'
  context.textBaseline = 'middle'
  context.fillText(letter, size / 2, size / 2 + size * 0.04)
}

/** Where no letter can be read, a mark. */
function drawShape(context: CanvasRenderingContext2D, tag: SlotTag, size: number, ink: string): void {
  const near = size * 0.3
  const far = size * 0.7
  context.strokeStyle = ink
  context.fillStyle = ink
  context.lineWidth = 1.5
  context.beginPath()
  if (tag === 'faulted') lines(context, [near, near, far, far], [far, near, near, far])
  else if (tag === 'cancelling') lines(context, [near, far, far, near])
  else if (tag === 'releasing') lines(context, [near, size / 2, far, size / 2])
  else if (tag === 'resetting') context.arc(size / 2, size / 2, size * 0.2, 0, Math.PI * 2)
  else if (tag === 'acquired') context.fillRect(size * 0.4, size * 0.4, size * 0.2, size * 0.2)
  context.stroke()
}

function lines(
  context: CanvasRenderingContext2D,
  ...parts: readonly [number, number, number, number][]
): void {
  for (const [fromX, fromY, toX, toY] of parts) {
    context.moveTo(fromX, fromY)
    context.lineTo(toX, toY)
  }
}
