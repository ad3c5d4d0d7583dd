/** Runs tests of the quick suite as part of a check, and counts them. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'

const root = resolve(import.meta.dir, '../..')

export interface TestCounts {
  /** Names of the tests that passed, each with those of its groups. */
  readonly passed: readonly string[]
  readonly skipped: number
  /** What failed, a sentence each. */
  readonly failed: readonly string[]
}

export async function runTestFiles(files: readonly string[]): Promise<TestCounts> {
  const place = mkdtempSync(join(tmpdir(), 'test-files-'))
  const report = join(place, 'report.xml')
  try {
    const options = ['--timeout', '120000', '--reporter=junit', `--reporter-outfile=${report}`]
    const child = Bun.spawn([process.execPath, 'test', ...options, ...files], {
      cwd: root,
      stdin: 'ignore',
      stdout: 'ignore',
      stderr: 'pipe',
    })
    const [stderr] = await Promise.all([new Response(child.stderr).text(), child.exited])
    const counts = countsOf(readFileSync(report, 'utf8'))
    const isTold = child.exitCode === 0 || counts.failed.length > 0
    return isTold
      ? counts
      : { ...counts, failed: [`bun test ended with ${child.exitCode}: ${stderr.slice(-500)}`] }
  } finally {
    rmSync(place, { recursive: true })
  }
}

/** Of a report in JUnit's format, as bun writes it. */
function countsOf(xml: string): TestCounts {
  const cases = [
    ...xml.matchAll(/<testcase name="([^"]*)" classname="([^"]*)"[^>]*?(\/>|>([\s\S]*?)<\/testcase>)/g),
  ]
  const named = cases.map(([, name, group, , inside = '']) => ({ name: `${group} > ${name}`, inside }))
  return {
    passed: named.filter(({ inside }) => !/<(failure|skipped|error)/.test(inside)).map(({ name }) => name),
    skipped: named.filter(({ inside }) => inside.includes('<skipped')).length,
    failed: named.filter(({ inside }) => /<(failure|error)/.test(inside)).map(({ name }) => `${name} failed`),
  }
}
