import type { ProxyContext } from './response-context.ts'

/** All contexts that live, oldest first: a chain through the contexts themselves, in which each is added and deleted once. */
export class ContextList {
  #oldest: ProxyContext | null = null
  #youngest: ProxyContext | null = null
  #count = 0

  get count(): number {
    return this.#count
  }

  add(context: ProxyContext): void {
    context.older = this.#youngest
    if (this.#youngest === null) this.#oldest = context
    else this.#youngest.younger = context
    this.#youngest = context
    this.#count++
  }

  /** False if it is not there. */
  delete(context: ProxyContext): boolean {
    const { older, younger } = context
    if (older === null && this.#oldest !== context) return false
    if (older === null) this.#oldest = younger
    else older.younger = younger
    if (younger === null) this.#youngest = older
    else younger.older = older
    context.older = context.younger = null
    this.#count--
    return true
  }

  /** Those that live now: who goes through them may end them. */
  oldestFirst(): ProxyContext[] {
    const all: ProxyContext[] = []
    for (let context = this.#oldest; context !== null; context = context.younger) all.push(context)
    return all
  }
}
