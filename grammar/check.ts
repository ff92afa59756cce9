import type { Block, RouteBlock, Script, Statement } from './ast.ts'
import { blockNames } from './resolve-argument.ts'
import { absentHint, type Resolver } from './resolver.ts'

/** What is legal and yet hardly meant: routes that nothing runs, statements that nothing reaches. Warnings all. */
export function checkScript(script: Script, resolver: Resolver): void {
  for (const item of script.items) {
    if (item.type !== 'route') continue
    checkUse(item, resolver)
    checkReach(item.body, resolver)
  }
}

function checkUse(route: RouteBlock, resolver: Resolver): void {
  const { kind, name, nameSpan } = route
  if (name === '') return
  if (kind === 'event') {
    if (resolver.symbols.runsEvent(name) || resolver.used.has(`event ${name}`)) return
    const message = `no loaded module runs event_route[${name}]`
    resolver.report.warning('script/unknown-event', message, nameSpan, absentHint(resolver))
    return
  }
  if (resolver.used.has(`${kind} ${name}`) || resolver.used.has(`${kind} *`)) return
  const how = kind === 'request' ? `call it with route(${name})` : `no function arms it`
  resolver.report.warning('script/unused-route', `nothing runs ${blockNames[kind]}[${name}]`, nameSpan, how)
}

function checkReach(block: Block, resolver: Resolver): void {
  checkSequence(block.statements, resolver)
}

function checkSequence(statements: readonly Statement[], resolver: Resolver): void {
  const end = statements.findIndex(leaves)
  const unreached = statements.slice(end + 1).filter(({ type }) => type !== 'empty')
  const [first] = unreached
  if (end !== -1 && first !== undefined && !unreached.every(isClosing)) {
    const last = statements[end]
    const message = `never reached: ${last?.type} stands before it`
    resolver.report.warning('script/unreachable', message, first.span)
  }
  for (const statement of statements) checkInside(statement, resolver)
}

function checkInside(statement: Statement, resolver: Resolver): void {
  switch (statement.type) {
    case 'block':
      checkSequence(statement.statements, resolver)
      break
    case 'if':
      checkInside(statement.then, resolver)
      if (statement.otherwise !== null) checkInside(statement.otherwise, resolver)
      break
    case 'while':
      checkInside(statement.body, resolver)
      break
    case 'switch':
      for (const item of statement.cases) checkSequence(item.statements, resolver)
      break
    default:
  }
}

function leaves({ type }: Statement): boolean {
  return type === 'return' || type === 'exit' || type === 'drop' || type === 'break'
}

/** `exit; return;` at the end is a habit, and break after return in a case is one too. */
function isClosing(statement: Statement): boolean {
  return leaves(statement) && !('value' in statement && statement.value !== null)
}
