/** What a slot keeps from call to call beside its workspace: a shell, a terminal. A reset ends it, and the server's stop. */

export interface Session {
  /** Ends it with all its processes; resolves when they are dead. Never rejects. */
  end(): Promise<void>
}

type Kind<T extends Session> = abstract new (...args: never[]) => T

/** The sessions of one slot, at most one of each kind. To be used under the slot's lock. */
export class Sessions {
  readonly #sessions = new Map<Kind<Session>, Session>()

  /** The slot's session of this kind; made when there is none. */
  of<T extends Session>(kind: Kind<T>, make: () => T): T {
    const known = this.#sessions.get(kind)
    if (known instanceof kind) return known
    const made = make()
    this.#sessions.set(kind, made)
    return made
  }

  /** Ends all of them; what is asked for next is made anew. */
  async end(): Promise<void> {
    const sessions = [...this.#sessions.values()]
    this.#sessions.clear()
    await Promise.all(sessions.map((session) => session.end()))
  }
}
