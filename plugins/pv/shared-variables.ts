import {
  ArgumentProblem,
  limits,
  PackedValues,
  type PluginHost,
  RpcFault,
  type Value,
} from '../../src/plugin/index.ts'

/** `$shv`: one value per name for all messages. Reads as 0 until it is set (measured on Kamailio 5.6.3). */
export interface SharedVariables {
  get(name: string): string | number
  /** Null: 0 again. False if there are too many names, which only a script that makes them up can reach. */
  set(name: string, value: Value): boolean
  increment(name: string): number
  all(): DescribedVariable[]
  describe(name: string): DescribedVariable
}

export interface DescribedVariable {
  readonly name: string
  readonly type: string
  readonly value: string | number
}

/** In a Map, or, where several workers share them, in a region. */
export function createSharedVariables(host: PluginHost): SharedVariables {
  if (host.workers.count === 1) return new OwnVariables()
  const region = host.openRegion('pv.shv', limits.sharedTableBytesMax)
  return new RegionVariables(
    new PackedValues(region, host.workers.sharedKey('pv'), limits.htableEntriesMax, 0),
  )
}

class OwnVariables implements SharedVariables {
  readonly #values = new Map<string, string | number>()

  get(name: string): string | number {
    return this.#values.get(name) ?? 0
  }

  set(name: string, value: Value): boolean {
    if (value === null) this.#values.delete(name)
    else if (this.#values.has(name) || this.#values.size < limits.htableEntriesMax)
      this.#values.set(name, value)
    else return false
    return true
  }

  increment(name: string): number {
    const next = incremented(this.get(name))
    this.set(name, next)
    return next
  }

  all(): DescribedVariable[] {
    return Array.from(this.#values, ([name, value]) => described(name, value))
  }

  describe(name: string): DescribedVariable {
    return described(name, this.#values.get(name))
  }
}

/** They never expire: the second is always the first one. */
const second = 0

class RegionVariables implements SharedVariables {
  readonly #values: PackedValues

  constructor(values: PackedValues) {
    this.#values = values
  }

  get(name: string): string | number {
    return this.#values.get(name, second)?.value ?? 0
  }

  set(name: string, value: Value): boolean {
    return this.#values.update(name, second, () => (value === null ? null : { value, expiresAt: 0 }))
  }

  increment(name: string): number {
    let next = 0
    this.#values.update(name, second, (known) => {
      next = incremented(known?.value ?? 0)
      return { value: next, expiresAt: 0 }
    })
    return next
  }

  all(): DescribedVariable[] {
    return Array.from(this.#values.entries(second), ([name, { value }]) => described(name, value))
  }

  describe(name: string): DescribedVariable {
    return described(name, this.#values.get(name, second)?.value)
  }
}

function incremented(value: string | number): number {
  return (typeof value === 'number' ? value : 0) + 1
}

function described(name: string, value: string | number | undefined): DescribedVariable {
  if (value === undefined) throw new RpcFault(404, 'Variable not found')
  return { name, type: typeof value === 'number' ? 'int' : 'string', value }
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
