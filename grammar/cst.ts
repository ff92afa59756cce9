import type { CstNode } from 'chevrotain'
import type { Report } from './report.ts'
import { type Span, spanBetween } from './source.ts'
import { type ScriptToken, StringToken } from './tokens.ts'

/**
 * Access to the parser's tree, which knows children by name only. After a syntax error any child may be missing:
 * who builds the AST gets undefined and leaves out what cannot be understood.
 */
export interface BuildContext {
  readonly tokens: readonly ScriptToken[]
  readonly report: Report
  /** The keyword of the route that is being built: some conditions exist in onsend_route only. */
  routeWord: string
}

export function tokensOf(node: CstNode, name: string): ScriptToken[] {
  return (node.children[name] ?? []).filter(
    (child): child is ScriptToken => 'image' in child && 'span' in child,
  )
}

export function tokenOf(node: CstNode, name: string): ScriptToken | undefined {
  return tokensOf(node, name)[0]
}

export function nodesOf(node: CstNode, name: string): CstNode[] {
  return (node.children[name] ?? []).filter((child): child is CstNode => 'children' in child)
}

export function nodeOf(node: CstNode, name: string): CstNode | undefined {
  return nodesOf(node, name)[0]
}

/** The only child of a rule that chooses between others. */
export function onlyChild(node: CstNode): CstNode | undefined {
  for (const name of Object.keys(node.children)) {
    const child = nodeOf(node, name)
    if (child !== undefined) return child
  }
  return undefined
}

/** From the first to the last token of a node. The parser's offsets are indices of tokens. */
export function spanOf(context: BuildContext, node: CstNode): Span {
  const first = context.tokens[node.location?.startOffset ?? 0] ?? context.tokens[0]
  if (first === undefined) return nowhere
  const last = context.tokens[node.location?.endOffset ?? 0] ?? first
  return spanBetween(first.span, last.span)
}

const nowhere: Span = { file: '', start: 0, end: 0, line: 1, column: 1 }

/** All tokens of a node in the order they were written, joined: `tm:branch-failure:x`; strings without quotes. */
export function textOf(context: BuildContext, node: CstNode): string {
  const first = node.location?.startOffset ?? 0
  const last = node.location?.endOffset ?? -1
  return context.tokens
    .slice(first, last + 1)
    .map((token) => (token.tokenType === StringToken ? token.value : token.image))
    .join('')
}
