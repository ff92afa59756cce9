/**
 * The pseudo-variables that have a value while a script is loaded: environment and defines. They may stand in
 * `#!substdef`, `#!subst` and `loadmodulex`; every other one belongs to a message, and there is none yet.
 */
export interface LoadTimeValues {
  environment(name: string): string | null
  define(name: string): string | null
}

export interface Expansion {
  readonly text: string
  /** Variables that have no value here, as written. */
  readonly unknown: readonly string[]
}

const reference = /\$(?:\$|\(?([A-Za-z]\w*)(?:\(([^()]*)\))?\)?)/g

/** `$env(NAME)`, `$envn`, `$def(NAME)`, `$defv`, `$defn`, also as `$(env(NAME))`; `$$` is a dollar sign. */
export function expandLoadTimeVariables(text: string, values: LoadTimeValues): Expansion {
  const unknown: string[] = []
  const expanded = text.replace(reference, (written, kind: string | undefined, name: string | undefined) => {
    if (written === '$$') return '$'
    const value = readValue(kind ?? '', name ?? '', values)
    if (value === null) unknown.push(written)
    return value ?? ''
  })
  return { text: expanded, unknown }
}

function readValue(kind: string, name: string, values: LoadTimeValues): string | null {
  if (kind === 'env' || kind === 'envn') return values.environment(name)
  if (kind === 'def' || kind === 'defv' || kind === 'defn') return values.define(name)
  return null
}
