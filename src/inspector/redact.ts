/** Floor 3: takes secrets out of texts before they leave the process. Pure. Browser compatible. */

export const redacted = '‹redacted›'

/** Turns a text into one without secrets. */
export type Redact = (text: string) => string

const secretName = String.raw`[\w-]*(?:token|secret|passw(?:or)?d|passphrase|api_?-?key|access_?-?key|private_?-?key|credentials?)[\w-]*`

/** A value in quotes (plain, or escaped as inside JSON text), or up to the next blank or sign. */
const value = String.raw`(?:\\*"(?:[^"\\]|\\(?!"))*\\*"|'[^']*'|[^\s"'\\,;&|)}]+)`

const rules: readonly (readonly [RegExp, string])[] = [
  [/-----BEGIN [A-Z ]*PRIVATE KEY-----[\s\S]*?(?:-----END [A-Z ]*PRIVATE KEY-----|$)/g, redacted],
  [
    /\b((?:proxy-)?authorization|(?:set-)?cookie)(\\*["']?\s*[:=]\s*\\*["']?)[^"'\\\r\n]+/gi,
    `$1$2${redacted}`,
  ],
  [/\b(bearer|basic)\s+[\w.~+/=-]{6,}/gi, `$1 ${redacted}`],
  [new RegExp(String.raw`(["']?\b${secretName}\\*["']?\s*[=:]\s*)${value}`, 'gi'), `$1${redacted}`],
  [new RegExp(String.raw`(--?${secretName}\s+)${value}`, 'gi'), `$1${redacted}`],
  [/\b(?:gh[pousr]_|github_pat_|glpat-|sk-|xox[abeoprs]-|npm_)[\w-]{16,}/g, redacted],
  [/\b(?:AKIA|ASIA)[A-Z\d]{16}\b/g, redacted],
  [/\beyJ[\w-]{8,}\.[\w-]{8,}\.[\w-]*/g, redacted],
  [/([a-z][a-z\d+.-]*:\/\/)[^\s/@"'\\:]*:[^\s/@"'\\]+@/gi, `$1${redacted}@`],
]

/** In a call's JSON, all values of `env`: whatever they are called. */
const environment = /("env"\s*:\s*)\{(?:\s*"(?:[^"\\]|\\.)*"\s*:\s*"(?:[^"\\]|\\.)*(?:"|$)\s*,?)*/g
const environmentValue = /("(?:[^"\\]|\\.)*"\s*:\s*)"(?:[^"\\]|\\.)*(?:"|$)/g

/** What may hold a secret at all, so that most texts cost one look. */
const suspicious =
  /"env"|authorization|cookie|bearer|basic\s|token|secret|passw|passphrase|key|credential|gh[pousr]_|glpat-|sk-|xox|npm_|akia|asia|eyj|:\/\/[^\s/]*@/i

/**
 * A function that hides what looks like a secret, and all of `secrets` wherever they stand. Too much rather than too
 * little: a trace goes into bug reports.
 */
export function redactor(secrets: readonly string[] = []): Redact {
  const known = [...new Set(secrets)].filter((secret) => secret.length >= 6)
  // As they are, and as they look inside JSON text.
  const forms = [...new Set(known.flatMap((secret) => [secret, JSON.stringify(secret).slice(1, -1)]))]
  forms.sort((a, b) => b.length - a.length)
  return (text) => {
    let clean = text
    for (const secret of forms) if (clean.includes(secret)) clean = clean.replaceAll(secret, redacted)
    if (!suspicious.test(clean)) return clean
    clean = clean.replace(environment, (all, name: string) => name + emptied(all.slice(name.length)))
    for (const [pattern, replacement] of rules) clean = clean.replace(pattern, replacement)
    return clean
  }
}

function emptied(environmentText: string): string {
  return environmentText.replace(environmentValue, `$1"${redacted}"`)
}

/** The values of a process environment whose names say that they are secret. */
export function secretsOf(environment: Readonly<Record<string, string | undefined>>): string[] {
  const isSecret = new RegExp(`^${secretName}$`, 'i')
  return Object.entries(environment).flatMap(([name, value]) =>
    value !== undefined && value.length >= 6 && isSecret.test(name) ? [value] : [],
  )
}
