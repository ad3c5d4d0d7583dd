/** Floor 0: the body of `POST /reset`. The answer is an `ExecutionResponseBody`. */
import * as v from 'valibot'

export interface ResetRequestBody {
  readonly slot_id: string
}

export const resetRequest = v.strictObject({ slot_id: v.pipe(v.string(), v.nonEmpty()) })
