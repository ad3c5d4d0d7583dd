/** The results file: one JSON object a line, appended as calls end. */
import { appendFileSync, closeSync, openSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { realpath, stat } from 'node:fs/promises'
import { CommandFailure, exitCodes } from '../failure.ts'
import { errorCode, fileTrouble } from '../text-file.ts'
import type { ResultRecord } from './records.ts'

/** Where results go. */
export interface ResultsSink {
  append(record: ResultRecord): void
  close(): void
}

/** For a job whose results nobody keeps. */
export const noResultsFile: ResultsSink = { append: () => {}, close: () => {} }

/**
 * Opens the results file with `kept` lines in it and no others. What was there is replaced in one step: after a crash
 * the file is the old one or the new one.
 */
export async function openResultsFile(path: string, kept: readonly string[]): Promise<ResultsSink> {
  try {
    const target = await realTarget(path)
    if (await isReplaceable(target)) replace(target, kept)
    return sinkOf(path, openSync(target, 'a'))
  } catch (thrown) {
    throw new CommandFailure(`Cannot write the results file ${path}: ${fileTrouble(thrown)}`)
  }
}

/** Through symlinks: the file is replaced, not the link. */
async function realTarget(path: string): Promise<string> {
  return await realpath(path).catch((thrown: unknown) => {
    if (errorCode(thrown) === 'ENOENT') return path
    throw thrown
  })
}

/** A terminal, a pipe or a device is only appended to. */
async function isReplaceable(path: string): Promise<boolean> {
  const stats = await stat(path).catch(() => null)
  return stats === null || stats.isFile()
}

function replace(path: string, kept: readonly string[]): void {
  const draft = `${path}.${process.pid}.new`
  try {
    writeFileSync(draft, kept.map((line) => `${line}\n`).join(''), { flush: true })
    renameSync(draft, path)
  } catch (thrown) {
    rmSync(draft, { force: true })
    throw thrown
  }
}

function sinkOf(path: string, descriptor: number): ResultsSink {
  let isOpen = true
  return {
    append: (record) => {
      // The number of a closed descriptor may be another file's.
      if (!isOpen) return
      try {
        appendFileSync(descriptor, `${JSON.stringify(record)}\n`)
      } catch (thrown) {
        const sentence = `Cannot write call ${record.index} to the results file ${path}: ${fileTrouble(thrown)}`
        throw new CommandFailure(sentence, exitCodes.notAllRan)
      }
    },
    close: () => {
      if (isOpen) closeSync(descriptor)
      isOpen = false
    },
  }
}
