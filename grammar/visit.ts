/** The resolved tree, whatever its nodes are. */

/** Calls `see` for each node of the resolved tree below, itself included. */
export function visit(node: unknown, see: (node: { readonly op: string }) => void): void {
  if (Array.isArray(node)) {
    for (const item of node) visit(item, see)
    return
  }
  if (typeof node !== 'object' || node === null) return
  if (hasOperation(node)) see(node)
  for (const [key, value] of Object.entries(node)) {
    if (key !== 'declaration' && key !== 'span' && key !== 'label') visit(value, see)
  }
}

function hasOperation(node: object): node is { readonly op: string } {
  return 'op' in node && typeof node.op === 'string'
}
