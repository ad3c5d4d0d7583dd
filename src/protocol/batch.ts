/** Floor 0: the body of `POST /batch` and its answer. */
import * as v from 'valibot'
import { type ExecutionRequestBody, executionRequest } from './execution.ts'

/** Body of `POST /batch`: calls of different slots. */
export type BatchRequestBody = readonly ExecutionRequestBody[]

/** What the client sends. */
export const batchRequest = v.array(executionRequest)

/** What a server answers. The items are parsed one by one, so that a bad one spoils no other. */
export const batchResponse = v.array(v.unknown())
