/** A few words for the browser's DOM. */

type Child = Node | string

/** Makes an element. Attributes that are undefined are left out. */
export function element<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  attributes: Readonly<Record<string, string | undefined>> = {},
  ...children: readonly Child[]
): HTMLElementTagNameMap[K] {
  const made = document.createElement(tag)
  for (const [name, value] of Object.entries(attributes))
    if (value !== undefined) made.setAttribute(name, value)
  made.append(...children)
  return made
}

/** The element of the document with an id, which must be there and of a class. */
export function the<T extends Element>(id: string, kind: new () => T): T {
  const found = document.getElementById(id)
  if (found instanceof kind) return found
  throw new Error(`No ${kind.name} #${id} in the page`)
}

/** Sets a text only where it differs: what does not change is not drawn again, nor read out again. */
export function setText(target: Element, text: string): void {
  if (target.textContent !== text) target.textContent = text
}

/** Replaces what is in an element, when `key` says that it differs. */
export function replaceWhen(target: HTMLElement, key: string, make: () => readonly Child[]): void {
  if (target.dataset.key === key) return
  target.dataset.key = key
  target.replaceChildren(...make())
}

/** Whether somebody is typing there. */
export function isTyping(target: EventTarget | null): boolean {
  return target instanceof HTMLInputElement || target instanceof HTMLSelectElement
}
