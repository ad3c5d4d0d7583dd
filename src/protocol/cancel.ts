/** Floor 0: the body of `POST /cancel` and its answer. */
import * as v from 'valibot'

export interface CancelRequestBody {
  readonly execution_ids: readonly string[]
}

/** Every id that was asked for is in one of the lists. */
export interface CancelResponseBody {
  /** They had not ended. Nothing of them is alive any more, and none will begin; each has its result where it was posted. */
  readonly cancelled: readonly string[]
  /** They had ended before. */
  readonly finished: readonly string[]
  /** The server has not met them. One that comes late, behind its own cancellation, does not begin. */
  readonly unknown: readonly string[]
}

const notIds = 'must be an array of execution ids'
const notId = 'must be an execution id'
const ids = v.array(v.pipe(v.string(notId), v.nonEmpty(notId)), notIds)

export const cancelRequest: v.GenericSchema<unknown, CancelRequestBody> = v.object(
  { execution_ids: ids },
  notIds,
)

export const cancelResponse: v.GenericSchema<unknown, CancelResponseBody> = v.object({
  cancelled: ids,
  finished: ids,
  unknown: ids,
})
