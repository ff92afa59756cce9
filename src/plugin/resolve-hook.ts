import { registerHooks } from 'node:module'

let isInstalled = false

/**
 * A plugin imports 'viaduct/plugin' from wherever it lies; it must get this very process's module, not a copy from
 * some node_modules. Safe to call again.
 */
export function installResolveHook(): void {
  if (isInstalled) return
  isInstalled = true
  const extension = import.meta.url.endsWith('.ts') ? 'ts' : 'js'
  const own = new Map([
    ['viaduct/plugin', new URL(`./index.${extension}`, import.meta.url).href],
    ['viaduct/testing', new URL(`../testing/index.${extension}`, import.meta.url).href],
  ])
  registerHooks({
    resolve(specifier, context, next) {
      const url = own.get(specifier)
      return url === undefined ? next(specifier, context) : { url, shortCircuit: true }
    },
  })
}
