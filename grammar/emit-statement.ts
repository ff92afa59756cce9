import { literal, localName, type Names } from './emit-call.ts'
import { ExpressionEmitter } from './emit-expression.ts'
import type {
  ResolvedExpression,
  ResolvedIf,
  ResolvedRoute,
  ResolvedStatement,
  ResolvedSwitch,
  ResolvedWhile,
} from './resolved.ts'
import type { CodeLines } from './source-map.ts'

/**
 * A route as a JavaScript function that returns the route's rc: the value of `return`, or else the rc of the last
 * action that ran (measured on Kamailio 5.6.3: an assignment and an `if` that is false give 1, `break` gives 0).
 *
 * How the rc of the last action gets out is the mode of a statement:
 * - none    another statement follows: it does not matter
 * - return  nothing follows: return it
 * - last    nothing follows in the body of a loop: keep it in a variable
 */
type Mode = { readonly kind: 'none' | 'return' } | { readonly kind: 'last'; readonly name: string }

const none: Mode = { kind: 'none' }
const returning: Mode = { kind: 'return' }

/** What Kamailio gives when the value of `return` cannot be computed: E_UNSPEC. */
const failedReturn = -5

export function emitRoute(
  names: Names,
  lines: CodeLines,
  route: ResolvedRoute,
  functionName: string,
  isAsync: boolean,
): void {
  new RouteEmitter(names, lines, isAsync).emit(route, functionName)
}

class RouteEmitter {
  readonly #names: Names
  readonly #lines: CodeLines
  readonly #isAsync: boolean
  readonly #expressions: ExpressionEmitter
  /** The loops and switches around the statement, the innermost last: what `break` leaves. */
  readonly #breakable: Mode[] = []
  #locals = 0

  constructor(names: Names, lines: CodeLines, isAsync: boolean) {
    this.#names = names
    this.#lines = lines
    this.#isAsync = isAsync
    this.#expressions = new ExpressionEmitter(names, 'route')
  }

  emit(route: ResolvedRoute, functionName: string): void {
    const head = `${this.#isAsync ? 'async ' : ''}function ${functionName}(c)`
    this.#lines.block(
      head,
      () => {
        const shared = this.#lines.reserve()
        this.#declareLocals(route)
        const temporaries = this.#lines.reserve()
        this.#sequence(route.body, returning)
        const count = this.#expressions.temporaries
        if (count > 0) {
          temporaries(`let ${Array.from({ length: count }, (_, index) => `t${index}`).join(', ')}`)
        }
        if (this.#expressions.sharesSlots) shared('const s = c.vars')
      },
      route.span,
    )
  }

  /** `let $path, $i = 0`: a $var begins as 0, which does not show if it is assigned before it is read. */
  #declareLocals(route: ResolvedRoute): void {
    const { slots } = this.#names.flow
    const index = this.#names.routes.indexOf(route)
    const declared = slots.localTo.flatMap((owner, slot) => {
      if (owner !== index) return []
      return [localName(this.#names, slot) + (slots.isAssignedFirst[slot] ? '' : ' = 0')]
    })
    if (declared.length > 0) this.#lines.add(`let ${declared.join(', ')}`)
  }

  /** What stands behind return, exit, drop or break is never reached, and not printed. */
  #sequence(statements: readonly ResolvedStatement[], mode: Mode): void {
    const end = statements.findIndex((statement) => leaves.has(statement.op))
    const reached = end === -1 ? statements : statements.slice(0, end + 1)
    for (const statement of reached.slice(0, -1)) this.#statement(statement, none)
    const last = reached.at(-1)
    if (last === undefined) this.#done('1', mode)
    else this.#statement(last, mode)
  }

  #statement(statement: ResolvedStatement, mode: Mode): void {
    this.#expressions.reset()
    switch (statement.op) {
      case 'block':
        this.#sequence(statement.body, mode)
        break
      case 'expression':
        this.#action(statement, mode)
        break
      case 'if':
        this.#if(statement, mode)
        break
      case 'switch':
        this.#switch(statement, mode)
        break
      case 'while':
        this.#while(statement, mode)
        break
      case 'break':
        this.#break(statement)
        break
      default:
        this.#leave(statement)
    }
  }

  #done(rc: string, mode: Mode): void {
    if (mode.kind === 'return') this.#lines.add(`return ${rc}`)
    if (mode.kind === 'last') this.#lines.add(`${mode.name} = ${rc}`)
  }

  #action(statement: Extract<ResolvedStatement, { op: 'expression' }>, mode: Mode): void {
    const { expression, span } = statement
    const lines = this.#lines
    if (expression.op === 'assign') {
      this.#assignment(statement, mode)
      return
    }
    const { at, rc } = this.#expressions.call(expression)
    lines.add(at)
    if (expression.op === 'call') {
      this.#fallible(`if (ends(c, ${rc})) return c.rc`, span, () => lines.add('c.rc = -1'))
    } else {
      this.#fallible(rc, span, () => lines.add('c.rc = -1'))
      lines.add('if (c.ended !== 0) return c.rc')
    }
    this.#done('c.rc', mode)
  }

  #assignment(statement: Extract<ResolvedStatement, { op: 'expression' }>, mode: Mode): void {
    const assignment = statement.expression
    if (assignment.op !== 'assign') return
    const expressions = this.#expressions
    const isSlot = assignment.target.op === 'slot'
    const code = isSlot
      ? `${expressions.slot(assignment.target.slot)} = ${expressions.assignedValue(assignment)}`
      : expressions.assignment(assignment)
    this.#at(statement, assignment.text)
    if (mode.kind === 'none' || isSlot) {
      const rc = expressions.mayFail && mode.kind !== 'none' ? this.#local('1') : '1'
      this.#fallible(code, statement.span, () => {
        if (rc !== '1') this.#lines.add(`${rc} = -1`)
      })
      this.#afterCalls()
      this.#done(rc, mode)
      return
    }
    const rc = this.#local('-1')
    this.#fallible(`${rc} = ${code} ? 1 : -1`, statement.span, () => undefined)
    this.#afterCalls()
    this.#done(rc, mode)
  }

  #if(statement: ResolvedIf, mode: Mode): void {
    const condition = this.#condition(statement.condition, statement)
    const lines = this.#lines
    const hasElse = statement.whenFalse.length > 0
    const then = () => this.#sequence(statement.whenTrue, mode)
    const otherwise = () => this.#sequence(statement.whenFalse, mode)
    if (!hasElse && mode.kind !== 'last') {
      lines.block(`if ${parenthesized(condition)}`, then, this.#unmapped(condition, statement))
      this.#done('1', mode)
      return
    }
    lines.add(`if ${parenthesized(condition)} {`, this.#unmapped(condition, statement))
    lines.indented(then)
    lines.add('} else {')
    lines.indented(otherwise)
    lines.add('}')
  }

  /** The code of a condition; it is computed before if a call in it may end the script, or if it may fail. */
  #condition(condition: ResolvedExpression, statement: ResolvedIf): string {
    const expressions = this.#expressions
    const code = expressions.truth(condition)
    this.#at(statement, 'if')
    if (!expressions.calls && !expressions.mayFail) return code
    return this.#computed(code, 'false', statement)
  }

  #unmapped(condition: string, statement: ResolvedIf) {
    return /^l\d+$/.test(condition) ? null : statement.span
  }

  /** The body runs as long as the condition holds, but no more often than max_while_loops allows. */
  #while(statement: ResolvedWhile, mode: Mode): void {
    const lines = this.#lines
    const last = mode.kind === 'none' ? none : { kind: 'last' as const, name: this.#local('1') }
    const count = this.#local('0')
    this.#breakable.push(last)
    lines.block('while (true)', () => {
      const expressions = this.#expressions
      expressions.reset()
      const code = expressions.truth(statement.condition)
      this.#at(statement, 'while')
      if (expressions.calls || expressions.mayFail) {
        lines.add(`if (!${this.#computed(code, 'false', statement)}) break`)
      } else {
        lines.add(`if (!${code}) break`, statement.span)
      }
      lines.block(`if (${count}++ === loopsMax)`, () => {
        lines.add('runaway(c)')
        if (last.kind === 'last') lines.add(`${last.name} = -1`)
        lines.add('break')
      })
      lines.add('step(c)')
      this.#sequence(statement.body, last)
    })
    this.#breakable.pop()
    if (last.kind === 'last') this.#done(last.name, mode)
  }

  /** A case falls through to the next, as in JavaScript. An expression that fails leads to default. */
  #switch(statement: ResolvedSwitch, mode: Mode): void {
    const expressions = this.#expressions
    const lines = this.#lines
    const code =
      statement.labels === 'number' ? expressions.int(statement.subject) : expressions.text(statement.subject)
    this.#at(statement, 'switch')
    const subject = this.#computed(code, 'undefined', statement)
    if (mode.kind === 'last') lines.add(`${mode.name} = 1`)
    const isPatterned = statement.cases.some(({ label }) => typeof label === 'object' && label !== null)
    this.#breakable.push(mode)
    lines.block(`switch (${isPatterned ? this.#selector(statement, subject) : subject})`, () => {
      for (const [index, item] of statement.cases.entries()) {
        const label = isPatterned
          ? String(index)
          : literal(typeof item.label === 'object' ? null : item.label)
        lines.add(item.label === null ? 'default:' : `case ${label}:`, item.span)
        const isLast = statement.cases.slice(index + 1).every(({ body }) => body.length === 0)
        if (item.body.length > 0) {
          lines.add('{')
          lines.indented(() => this.#sequence(item.body, isLast ? mode : none))
          lines.add('}')
        }
      }
    })
    this.#breakable.pop()
    if (mode.kind === 'return') this.#done('1', mode)
  }

  /** With regular expressions among the labels: the number of the first case that fits. */
  #selector(statement: ResolvedSwitch, subject: string): string {
    const tests = statement.cases.flatMap(({ label }, index) => {
      if (label === null) return []
      if (typeof label !== 'object') return [`${subject} === ${literal(label)} ? ${index}`]
      const pattern = `k${this.#names.tables.constant(label)}`
      return [`${subject} !== undefined && ${pattern}.test(${subject}) ? ${index}`]
    })
    return [...tests, '-1'].join(' : ')
  }

  /** Outside of loops and switches break ends the route with 0, and the script goes on. */
  #break(statement: ResolvedStatement): void {
    const around = this.#breakable.at(-1)
    if (around === undefined || around.kind === 'return') {
      this.#lines.add('return 0', statement.span)
      return
    }
    if (around.kind === 'last') this.#lines.add(`${around.name} = 0`)
    this.#lines.add('break', statement.span)
  }

  #leave(statement: Extract<ResolvedStatement, { op: 'return' | 'exit' | 'drop' }>): void {
    const { op, value, span } = statement
    const lines = this.#lines
    if (op === 'drop') {
      lines.add('c.ended = 2', span)
      lines.add('return 0')
      return
    }
    const rc = this.#returnCode(value, statement)
    if (op === 'exit') {
      lines.add('c.ended = 1', span)
      lines.add(`return ${rc}`)
      return
    }
    const isNonzero = /^\(?-?[1-9]\d*\)?$/.test(rc)
    lines.add(isNonzero ? `return ${rc}` : `return leave(c, ${rc})`, span)
  }

  #returnCode(
    value: ResolvedExpression | null,
    statement: Extract<ResolvedStatement, { op: 'return' | 'exit' | 'drop' }>,
  ): string {
    if (value === null) return '1'
    const expressions = this.#expressions
    const code = expressions.int(value)
    this.#at(statement, statement.op)
    if (!expressions.calls && !expressions.mayFail) return code
    return this.#computed(code, String(failedReturn), statement)
  }

  /** The place of a statement whose variables may throw; calls set their own. */
  #at(statement: ResolvedStatement, text: string): void {
    if (!this.#expressions.touches) return
    this.#lines.add(`c.at = ${this.#names.tables.place(statement.span, text)}`)
  }

  #afterCalls(): void {
    if (this.#expressions.calls) this.#lines.add('if (c.ended !== 0) return c.rc')
  }

  /** Code whose expression may fail is caught; then what `onFailure` adds happens. */
  #fallible(code: string, span: ResolvedStatement['span'], onFailure: () => void): void {
    if (!this.#expressions.mayFail) {
      this.#lines.add(code, span)
      return
    }
    this.#lines.add('try {')
    this.#lines.indented(() => this.#lines.add(code, span))
    this.#lines.add('} catch (error) {')
    this.#lines.indented(() => {
      this.#lines.add('caught(error)')
      onFailure()
    })
    this.#lines.add('}')
  }

  /** A local that holds the value of the code, or the other one if that fails; the script may end here. */
  #computed(code: string, otherwise: string, { span }: ResolvedStatement): string {
    if (this.#expressions.mayFail) {
      const name = this.#local(otherwise)
      this.#fallible(`${name} = ${code}`, span, () => undefined)
      this.#afterCalls()
      return name
    }
    const name = `l${this.#locals++}`
    this.#lines.add(`const ${name} = ${code}`, span)
    this.#afterCalls()
    return name
  }

  #local(initial: string): string {
    const name = `l${this.#locals++}`
    this.#lines.add(`let ${name} = ${initial}`)
    return name
  }
}

/** Without a second pair of parentheses around the whole. */
function parenthesized(code: string): string {
  return isWrapped(code) ? code : `(${code})`
}

/** True if the first parenthesis closes at the end. */
function isWrapped(code: string): boolean {
  let depth = 0
  let isString = false
  for (let at = 0; at < code.length; at++) {
    const character = code[at]
    if (isString && character === '\\') at++
    else if (character === '"') isString = !isString
    else if (!isString && character === '(') depth++
    else if (!isString && character === ')' && --depth === 0) return at === code.length - 1
    if (depth === 0) return false
  }
  return false
}

const leaves: ReadonlySet<string> = new Set(['return', 'exit', 'drop', 'break'])
