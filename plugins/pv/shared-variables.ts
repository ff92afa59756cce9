import { ArgumentProblem, limits, type Value } from '../../src/plugin/index.ts'

/** `$shv`: one value per name for all messages. Reads as 0 until it is set (measured on Kamailio 5.6.3). */
export class SharedVariables {
  readonly #values = new Map<string, string | number>()

  get(name: string): string | number {
    return this.#values.get(name) ?? 0
  }

  /** Null: 0 again. False if there are too many names, which only a script that makes them up can reach. */
  set(name: string, value: Value): boolean {
    if (value === null) this.#values.delete(name)
    else if (this.#values.has(name) || this.#values.size < limits.htableEntriesMax)
      this.#values.set(name, value)
    else return false
    return true
  }

  increment(name: string): number {
    const value = this.get(name)
    const next = (typeof value === 'number' ? value : 0) + 1
    this.set(name, next)
    return next
  }

  all(): { name: string; type: string; value: string | number }[] {
    return [...this.#values.keys()].map((name) => this.describe(name))
  }

  describe(name: string): { name: string; type: string; value: string | number } {
    const value = this.#values.get(name)
    if (value === undefined) throw new Error('Variable not found')
    return { name, type: typeof value === 'number' ? 'int' : 'string', value }
  }
}

/** `debug=i:1`, `mode=s:active`. */
export function parseSharedVariable(text: string): { name: string; value: string | number } {
  const found = /^\s*([^=\s]+)\s*=\s*([si]):(.*)$/s.exec(text)
  const [, name = '', type, value = ''] = found ?? []
  if (name === '' || (type === 'i' && !/^-?\d+$/.test(value.trim()))) {
    throw new ArgumentProblem(`'${text}' is not name=s:text or name=i:number`)
  }
  return { name, value: type === 'i' ? Number(value) : value }
}
