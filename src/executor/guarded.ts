/** Floor 3: listeners that are not ours. Browser compatible. */

/** A listener that throws must not stop a chart in mid-step; its error is reported as uncaught. */
export function guarded<T>(listener: ((event: T) => void) | undefined): ((event: T) => void) | undefined {
  if (listener === undefined) return undefined
  return (event) => {
    try {
      listener(event)
    } catch (error) {
      queueMicrotask(() => {
        throw error
      })
    }
  }
}
