/**
 * What modparam and MOD_ defines call a module: `tm.so`, `/usr/lib/kamailio/modules/tm.so` and `tm` are `tm`;
 * `./hello.ts` is `hello`; the package `@us/learn` is `learn`.
 */
export function moduleName(text: string): string {
  const file = text.slice(text.lastIndexOf('/') + 1)
  return file.replace(/\.(?:so|ts|mts|js|mjs|cjs)$/, '')
}
