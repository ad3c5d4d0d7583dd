/** The results file: one JSON object a line, appended as calls end. */
import { appendFileSync, closeSync, openSync, renameSync, unlinkSync, writeFileSync } from 'node:fs'
import { lstat, realpath, stat } from 'node:fs/promises'
import { resolve } from 'node:path'
import { CommandFailure, exitCodes } from '../failure.ts'
import { fileTrouble } from '../text-file.ts'
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
    const replaceable = await replaceablePath(path)
    if (replaceable !== null) replace(replaceable, kept)
    return sinkOf(path, openSync(path, 'a'))
  } catch (thrown) {
    throw new CommandFailure(`Cannot write the results file ${path}: ${fileTrouble(thrown)}`)
  }
}

/** The file itself, behind symlinks; null for a terminal, a pipe or a device, which are only appended to. */
async function replaceablePath(path: string): Promise<string | null> {
  const stats = await stat(path).catch(() => null)
  if (stats === null) return (await isSymlink(path)) ? null : path
  return stats.isFile() && !/^\/(dev|proc)\//.test(resolve(path)) ? await realpath(path) : null
}

/** One whose file is not there yet: opening it makes the file. */
async function isSymlink(path: string): Promise<boolean> {
  return await lstat(path).then(
    (stats) => stats.isSymbolicLink(),
    () => false,
  )
}

function replace(path: string, kept: readonly string[]): void {
  const draft = `${path}.${process.pid}.new`
  try {
    writeFileSync(draft, kept.map((line) => `${line}\n`).join(''), { flush: true })
    renameSync(draft, path)
  } catch (thrown) {
    removeIfThere(draft)
    throw thrown
  }
}

/** The first failure is the one to tell. */
function removeIfThere(path: string): void {
  try {
    unlinkSync(path)
  } catch {}
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
