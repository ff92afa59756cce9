import type { CstNode } from 'chevrotain'
import type { RouteBlock } from './ast.ts'
import { buildBlock } from './build-statements.ts'
import { type BuildContext, nodeOf, spanOf, textOf, tokenOf } from './cst.ts'
import type { RouteKind } from './declarations.ts'
import type { Span } from './source.ts'
import type { ScriptToken } from './tokens.ts'

/** The kinds of route blocks, and what may be their name. `[0]` is the unnamed one. */
export function buildRoute(context: BuildContext, node: CstNode): RouteBlock | null {
  const keyword = tokenOf(node, 'RouteWord')
  const block = nodeOf(node, 'block')
  const form = forms.get(keyword?.image ?? '')
  if (keyword === undefined || block === undefined || form === undefined) return null
  const nameNode = nodeOf(node, 'routeName')
  const written = nameNode === undefined ? null : readName(context, nameNode)
  const name = written?.name === '0' ? '' : (written?.name ?? '')
  const nameSpan = written?.span ?? keyword.span
  context.routeWord = keyword.image
  const body = buildBlock(context, block)
  checkName(context, keyword, form, written)
  const kind = name === '' ? form.unnamed : form.named
  if (kind === null) return null
  return { type: 'route', kind, name, nameSpan, body, span: spanOf(context, node) }
}

interface Form {
  /** Null: such a route has a name, or has none. */
  readonly unnamed: RouteKind | null
  readonly named: RouteKind | null
}

const forms: ReadonlyMap<string, Form> = new Map<string, Form>([
  ['request_route', { unnamed: 'request', named: null }],
  ['route', { unnamed: 'request', named: 'request' }],
  ['branch_route', { unnamed: 'branch', named: 'branch' }],
  ['failure_route', { unnamed: 'failure', named: 'failure' }],
  ['onreply_route', { unnamed: 'core-reply', named: 'reply' }],
  ['reply_route', { unnamed: 'core-reply', named: null }],
  ['onsend_route', { unnamed: 'onsend', named: 'onsend' }],
  ['event_route', { unnamed: null, named: 'event' }],
])

interface RouteName {
  readonly name: string
  readonly span: Span
  readonly isQuoted: boolean
}

function readName(context: BuildContext, node: CstNode): RouteName {
  const span = spanOf(context, node)
  const text = tokenOf(node, 'String')
  if (text !== undefined) return { name: String(text.value), span, isQuoted: true }
  const word = tokenOf(node, 'AnyWord')
  const isNumber = typeof word?.value === 'number' && textOf(context, node) === word.image
  return { name: isNumber ? String(word.value) : textOf(context, node), span, isQuoted: false }
}

function checkName(context: BuildContext, keyword: ScriptToken, form: Form, written: RouteName | null): void {
  const { report } = context
  if (written === null) {
    if (form.unnamed === null)
      report.error(
        'syntax/route-name',
        'an event_route needs the name of its event',
        keyword.span,
        'event_route[xhttp:request]',
      )
  } else if (form.named === null)
    report.error(
      'syntax/route-name',
      `a ${keyword.image} has no name`,
      written.span,
      keyword.image === 'request_route' ? `route[${written.name}]` : `onreply_route[${written.name}]`,
    )
  else if (form.named === 'event') {
    if (!/^[^:]+:./.test(written.name))
      report.error(
        'syntax/route-name',
        'the name of an event is module:event',
        written.span,
        'event_route[tm:local-request]',
      )
  } else if (!written.isQuoted && /[-:.]/.test(written.name))
    report.error(
      'syntax/route-name',
      'a route name of more than letters and digits needs quotes',
      written.span,
      `${keyword.image}["${written.name}"]`,
    )
}
