/** What can be measured in the page: do labels meet, does something overflow, can all be read? */
import type { Page } from 'playwright-core'

/** Labels of the shown chart that meet, as the browser has drawn them. */
export function meetingLabels(page: Page): Promise<string[]> {
  return page.evaluate(() => {
    const shown = [...document.querySelectorAll('.chart-view:not([hidden]) svg')]
    const texts = shown.flatMap((svg) => [...svg.querySelectorAll('.edge-label, text:not(:empty)')])
    const boxes = texts.map((text) => ({ text, box: text.getBoundingClientRect() }))
    const isOwn = (one: Element, other: Element) =>
      one.parentElement === other.parentElement &&
      (one.matches('.edge-label') || other.matches('.edge-label'))
    return boxes.flatMap(({ text: one, box: a }, index) =>
      boxes.slice(index + 1).flatMap(({ text: other, box: b }) => {
        const meet = a.left < b.right && b.left < a.right && a.top + 2 < b.bottom && b.top + 2 < a.bottom
        return meet && !isOwn(one, other) ? [`${one.textContent} / ${other.textContent}`] : []
      }),
    )
  })
}

/** Texts that do not fit into their label boxes, and parts of the page that are wider than it. */
export function overflowing(page: Page): Promise<string[]> {
  return page.evaluate(() => {
    const labels = [...document.querySelectorAll('.chart-view:not([hidden]) .label')].flatMap((group) => {
      const box = group.querySelector('.edge-label')?.getBoundingClientRect()
      if (box === undefined) return []
      const texts = [...group.querySelectorAll('text')]
      return texts
        .filter((text) => text.getBoundingClientRect().right > box.right + 0.5)
        .map((text) => text.textContent)
    })
    const width = document.documentElement.clientWidth
    const scrolls = (element: Element) =>
      element.closest('.chart-view, .scroll-x, pre, .unseen, .skip, .found') !== null
    const wide = [...document.querySelectorAll('body *')].filter((element) => {
      if (scrolls(element)) return false
      const box = element.getBoundingClientRect()
      return box.width > 0 && (box.right > width + 0.5 || box.left < -0.5)
    })
    const names = wide.map(
      (element) => `${element.tagName} ${element.id} ${element.getAttribute('class') ?? ''}`,
    )
    const isWide = document.documentElement.scrollWidth > width ? ['the page scrolls sideways'] : []
    return [...labels, ...names, ...isWide]
  })
}

/** Texts whose contrast with what is behind them is below 4.5. */
export function faintTexts(page: Page): Promise<string[]> {
  return page.evaluate(() => {
    const context = document.createElement('canvas').getContext('2d', { willReadFrequently: true })
    if (context === null) return ['no canvas']
    const channels = (colour: string): number[] => {
      context.clearRect(0, 0, 1, 1)
      context.fillStyle = colour
      context.fillRect(0, 0, 1, 1)
      return [...context.getImageData(0, 0, 1, 1).data]
    }
    const luminance = ([red = 0, green = 0, blue = 0]: number[]) => {
      const linear = [red, green, blue].map((value) => {
        const part = value / 255
        return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4
      })
      return 0.2126 * (linear[0] ?? 0) + 0.7152 * (linear[1] ?? 0) + 0.0722 * (linear[2] ?? 0)
    }
    const contrast = (one: string, other: string) => {
      const [high = 0, low = 0] = [luminance(channels(one)), luminance(channels(other))].sort((a, b) => b - a)
      return (high + 0.05) / (low + 0.05)
    }
    /** The nearest background that is there; in a chart, the box that lies under the text. */
    const behind = (element: Element): string => {
      if (element instanceof SVGElement) {
        const place = element.getBoundingClientRect()
        const boxes = [...(element.closest('svg')?.querySelectorAll('rect') ?? [])].filter((rect) => {
          const box = rect.getBoundingClientRect()
          const around = box.left <= place.left + 1 && box.right >= place.right - 1
          return (
            around &&
            box.top <= place.top + 3 &&
            box.bottom >= place.bottom - 3 &&
            getComputedStyle(rect).fill !== 'none'
          )
        })
        const last = boxes.at(-1)
        if (last !== undefined) return getComputedStyle(last).fill
      }
      for (let at: Element | null = element; at !== null; at = at.parentElement) {
        const { backgroundColor } = getComputedStyle(at)
        if ((channels(backgroundColor)[3] ?? 0) === 255) return backgroundColor
      }
      return 'white'
    }
    const isShown = (element: Element) =>
      element.getClientRects().length > 0 && element.closest('.unseen, .skip') === null
    const texts = [...document.querySelectorAll('body *')].filter(
      (element) =>
        isShown(element) &&
        [...element.childNodes].some((node) => node.nodeType === 3 && node.textContent?.trim() !== ''),
    )
    return texts.flatMap((element) => {
      const style = getComputedStyle(element)
      const ratio = contrast(element instanceof SVGElement ? style.fill : style.color, behind(element))
      return ratio < 4.5 ? [`${element.textContent?.slice(0, 30)}: ${ratio.toFixed(2)}`] : []
    })
  })
}
