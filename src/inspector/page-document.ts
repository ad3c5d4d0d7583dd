/** Floor 3: the page as one HTML document that asks nobody for anything, and the policy that holds it to that. */
import { svgOf } from './chart-svg.ts'
import { charts } from './charts.ts'

export interface PageDocument {
  readonly html: string
  /** Its Content-Security-Policy. */
  readonly policy: string
}

let made: Promise<PageDocument> | undefined

/** Bundled when it is first asked for. */
export function pageDocument(): Promise<PageDocument> {
  made ??= makePage()
  return made
}

async function makePage(): Promise<PageDocument> {
  const [template, style, script] = await Promise.all([
    Bun.file(new URL('page/index.html', import.meta.url)).text(),
    styles(),
    bundle(),
  ])
  const policy = [
    "default-src 'none'",
    `script-src ${hash(script)}`,
    `style-src ${hash(style)}`,
    "connect-src 'self'",
    "img-src 'self'",
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
  ].join('; ')
  const parts: Readonly<Record<string, string>> = {
    style: `<style>${style}</style>`,
    charts: chartPanels(),
    script: `<script type="module">${script}</script>`,
  }
  const html = template.replace(/<!-- (\w+) -->/g, (all, name: string) => parts[name] ?? all)
  return { html, policy }
}

const styleNames = ['tokens', 'base', 'frame', 'slots', 'detail', 'chart', 'lists', 'narrow'] as const

/** In an order in which later ones may say more. */
async function styles(): Promise<string> {
  const file = (name: string) => Bun.file(new URL(`page/styles/${name}.css`, import.meta.url)).text()
  return (await Promise.all(styleNames.map(file))).join('')
}

async function bundle(): Promise<string> {
  // Without its extension: it is TypeScript in a checkout, and JavaScript in the package.
  const entry = Bun.fileURLToPath(new URL('page/main', import.meta.url))
  const { outputs } = await Bun.build({ entrypoints: [entry], target: 'browser', minify: true })
  const text = (await outputs[0]?.text()) ?? ''
  // In a document, this would be the end of the script.
  return text.replaceAll('</script', '<\\/script')
}

function hash(text: string): string {
  return `'sha256-${new Bun.CryptoHasher('sha256').update(text).digest('base64')}'`
}

function chartPanels(): string {
  return charts
    .map((drawing, index) => {
      const { chart } = drawing
      const attributes = `id="chart-${chart}" role="tabpanel" aria-labelledby="tab-${chart}" tabindex="0"`
      const hidden = index === 0 ? '' : ' hidden'
      return `<div class="chart-view" ${attributes}${hidden}>${svgOf(drawing, { counts: true })}</div>`
    })
    .join('\n')
}
