/** Whether two types are the same, for tsc to judge. */

export type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false

/** Compiles when `A` is `true`. */
export function holds<_A extends true>(): void {}
