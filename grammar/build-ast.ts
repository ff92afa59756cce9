import type { CstNode } from 'chevrotain'
import type { Item, Script } from './ast.ts'
import { buildItem } from './build-items.ts'
import { type BuildContext, nodesOf } from './cst.ts'
import type { Report } from './report.ts'
import type { ScriptToken } from './tokens.ts'

/**
 * From the parser's tree to the AST, and what the grammar cannot say: precedence (build-expressions.ts), statements
 * that may not stand as they do (build-statements.ts), names of routes (build-routes.ts), the rest of the items
 * (build-items.ts), and that no name is given twice.
 */
export function buildAst(tree: CstNode, tokens: readonly ScriptToken[], report: Report): Script {
  const context: BuildContext = { tokens, report, routeWord: '' }
  const items = nodesOf(tree, 'item').flatMap((node) => buildItem(context, node))
  checkDuplicates(items, report)
  return { items }
}

/** Unnamed routes of one kind run one after the other; named ones must differ. */
function checkDuplicates(items: readonly Item[], report: Report): void {
  const places = new Map<string, { file: string; line: number }>()
  for (const item of items) {
    if (item.type !== 'route' || item.name === '') continue
    const key = `${item.kind} ${item.name}`
    const first = places.get(key)
    if (first === undefined) places.set(key, item.nameSpan)
    else
      report.error(
        'syntax/duplicate-route',
        `there is a ${item.kind === 'request' ? '' : `${item.kind} `}route ${item.name} already`,
        item.nameSpan,
        `the first one is at ${first.file}:${first.line}`,
      )
  }
}
