/** Whether the user wants to see everything that happens. */
export function isDebugging(): boolean {
  return process.env.SANDBOX_SLOTS_DEBUG === '1'
}
