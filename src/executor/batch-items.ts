/** Floor 3: the items of `executeBatch`, as tuples or as objects. Browser compatible. */
import * as v from 'valibot'
import { SandboxUsageError } from '../errors.ts'
import { isJsonObject } from '../protocol/json-object.ts'
import { isKnownTool, type KnownTool, type ToolArgs, wrongArgumentOf } from '../protocol/tools.ts'
import { checked, identifier, milliseconds } from '../usage.ts'
import type { Args } from './call-body.ts'
import type { Slot } from './slot.ts'

/** One call as an object: an item of `executeBatch`. */
export interface ExecutionRequest {
  readonly slot: Slot
  readonly tool: string
  readonly args: object
  /** Default: a fresh UUID. */
  readonly executionId?: string
  /** Default: the batch's. Milliseconds. */
  readonly timeoutMs?: number
}

/** One call as a tuple: an item of `executeBatch`. Arguments are checked by the tool's name. */
export type ExecutionTuple =
  | { [T in KnownTool]: readonly [slot: Slot, tool: T, args: ToolArgs[T]] }[KnownTool]
  | readonly [slot: Slot, tool: string, args: Readonly<Record<string, unknown>>]

/** An item of `executeBatch`. */
export type BatchItem = ExecutionTuple | ExecutionRequest

/** Items of a batch, where the arguments of a tool that every server has are that tool's, and no key is misspelt. */
export type ByTool<Items extends readonly unknown[]> = { readonly [I in keyof Items]: ItemByTool<Items[I]> }

type ItemByTool<Item> = Item extends readonly [infer Owner, infer Tool, infer Args]
  ? readonly [Owner, Tool, ArgsByTool<Tool, Args>]
  : Item extends { readonly tool: infer Tool; readonly args: infer Args }
    ? Item & { readonly args: ArgsByTool<Tool, Args> } & NoOthers<Item, ExecutionRequest>
    : Item

type ArgsByTool<Tool, Args> = Tool extends KnownTool ? ToolArgs[Tool] & NoOthers<Args, ToolArgs[Tool]> : Args
type NoOthers<Given, Known> = { readonly [Key in Exclude<keyof Given, KeysOf<Known>>]?: never }
type KeysOf<T> = T extends unknown ? keyof T : never

/** A call as it is asked for, checked but for its slot. */
export interface CheckedItem {
  readonly slot: unknown
  readonly tool: string
  readonly args: Args
  readonly executionId: string | undefined
  readonly timeoutMs: number | undefined
}

const requestObject = v.strictObject({
  slot: v.unknown(),
  tool: v.unknown(),
  args: v.unknown(),
  executionId: v.optional(identifier),
  timeoutMs: v.optional(milliseconds),
})

/** Throws `SandboxUsageError`, which names the item by its index. */
export function checkedBatchItem(item: unknown, index: number): CheckedItem {
  const subject = `item ${index} of executeBatch`
  const request = Array.isArray(item) ? fromTuple(item, subject) : checked(requestObject, item, subject)
  const tool = checkedTool(request.tool)
  return {
    slot: request.slot,
    tool,
    args: checkedArgs(tool, request.args),
    executionId: request.executionId,
    timeoutMs: request.timeoutMs,
  }
}

const namedTool = v.object({ tool: identifier })

export function checkedTool(tool: unknown): string {
  // A name that is known is not worth a schema's walk.
  return isKnownTool(tool) ? tool : checked(namedTool, { tool }, 'a call').tool
}

export function checkedArgs(tool: string, args: unknown): Args {
  if (!isJsonObject(args)) {
    const found = Array.isArray(args) ? 'an array' : String(args)
    throw new SandboxUsageError('args', `Cannot use ${found} as args of a call: it must be an object`)
  }
  const wrong = wrongArgumentOf(tool, args)
  if (wrong === undefined) return args
  const { name, problem } = wrong
  throw new SandboxUsageError(`args.${name}`, `Cannot call ${tool}: args.${name} ${problem}`)
}

export function refuseDoubled(executionIds: readonly string[]): void {
  const seen = new Set<string>()
  for (const executionId of executionIds) {
    if (seen.has(executionId)) {
      throw new SandboxUsageError(
        'executionId',
        `Cannot execute a batch: two of its items are ${executionId}`,
      )
    }
    seen.add(executionId)
  }
}

function fromTuple(
  item: readonly unknown[],
  subject: string,
): { slot?: unknown; tool?: unknown; args?: unknown; executionId?: undefined; timeoutMs?: undefined } {
  if (item.length === 3) return { slot: item[0], tool: item[1], args: item[2] }
  throw new SandboxUsageError(
    subject,
    `Cannot use ${subject}: it must be [slot, tool, args], it has ${item.length} parts`,
  )
}
