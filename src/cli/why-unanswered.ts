/** Why a server did not say how it is. */
import { describeThrown } from '../errors.ts'

/** How long it is waited for. */
const patienceMs = 5_000

/** Asks again, for a person who has an address that is wrong, or of something else. */
export async function whyUnanswered(address: string): Promise<string> {
  try {
    const answer = await fetch(`${address}/health`, { signal: AbortSignal.timeout(patienceMs) })
    await answer.body?.cancel()
    return `GET /health was answered with HTTP ${answer.status}, and with no JSON object`
  } catch (thrown) {
    return `GET /health was not answered: ${describeThrown(thrown)}`
  }
}
