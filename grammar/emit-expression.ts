import type { Value } from './declarations.ts'
import {
  functionCall,
  isLocal,
  literal,
  localName,
  type Names,
  type Operands,
  routeCall,
} from './emit-call.ts'
import {
  Kind,
  kindsOf,
  type ResolvedAccess,
  type ResolvedAssignment,
  type ResolvedBinary,
  type ResolvedCall,
  type ResolvedExpression,
  type ResolvedFormat,
  type ResolvedIndex,
  type ResolvedMatch,
  type ResolvedRouteCall,
  type ResolvedTransformation,
  type ResolvedUnary,
  type ResolvedVariable,
} from './resolved.ts'

/**
 * Expressions as JavaScript. Each piece of code knows whether it yields a boolean, a number, a string or any value,
 * so that conversions are written only where they are needed.
 */
interface Code {
  readonly text: string
  readonly form: 'bool' | 'int' | 'text' | 'value'
}

export class ExpressionEmitter implements Operands {
  /** The code may throw `failure`: its statement must catch it. */
  mayFail = false
  /** The code calls a function or route: the script may have ended after it. */
  calls = false
  /** The code reads or writes a linked variable. */
  touches = false
  /** Some code of the route needs `s`, the places of $var that all routes share. */
  sharesSlots = false
  /** Highest number of temporaries that any expression of the route needs. */
  temporaries = 0

  readonly #names: Names
  /** Outside of routes there are no temporaries, and no name for the array of $var slots. */
  readonly #isInRoute: boolean

  constructor(names: Names, where: 'route' | 'outside') {
    this.#names = names
    this.#isInRoute = where === 'route'
  }

  /** Before each statement. */
  reset(): void {
    this.mayFail = false
    this.calls = false
    this.touches = false
  }

  /** Yields a string, a number or null. */
  value(expression: ResolvedExpression): string {
    const { text, form } = this.#code(expression)
    return form === 'bool' ? `(${text} ? 1 : 0)` : text
  }

  int(expression: ResolvedExpression): string {
    const { text, form } = this.#code(expression)
    if (form === 'int') return text
    return form === 'bool' ? `(${text} ? 1 : 0)` : `toInt(c, ${text})`
  }

  text(expression: ResolvedExpression): string {
    if (expression.op === 'constant') return literal(String(expression.value ?? ''))
    const { text, form } = this.#code(expression)
    if (form === 'text') return text
    if (form === 'bool') return `(${text} ? '1' : '0')`
    if (form === 'int') return `String(${text})`
    return this.kinds(expression) & Kind.int ? `toText(${text})` : `(${text} ?? '')`
  }

  /** A condition: true if greater than 0. */
  truth(expression: ResolvedExpression): string {
    const { text, form } = this.#code(expression)
    return form === 'bool' ? text : `(${form === 'int' ? text : `toInt(c, ${text})`} > 0)`
  }

  /** A call as a statement: what stands before it, and the assignment of its rc. */
  call(call: ResolvedCall | ResolvedRouteCall): { readonly at: string; readonly rc: string } {
    this.calls = true
    const rc = this.#callCode(call, 'c.rc')
    return { at: this.#at(call), rc: `c.rc = ${rc}` }
  }

  /**
   * The rc of a call as it is. The caller looks whether the script ended. A second call in one expression is not made
   * if the first one ended the script; Kamailio makes it, and then forgets about the end.
   */
  #rc(call: ResolvedCall | ResolvedRouteCall): string {
    const isSecond = this.calls
    this.calls = true
    const rc = this.#callCode(call, '0')
    const made = `(${this.#at(call)}, c.rc = ${rc})`
    return isSecond ? `(c.ended === 0 ? ${made} : 0)` : made
  }

  /** Assigns; yields whether it worked, as a boolean. */
  assignment(assignment: ResolvedAssignment): string {
    const { target } = assignment
    const value = this.assignedValue(assignment)
    if (target.op === 'slot') return `(${this.slot(target.slot)} = ${value}, true)`
    if (target.op === 'named-slot') return `writeSlot(c, ${this.text(target.name)}, ${value})`
    return this.#write(target, value)
  }

  /** A bare call keeps its rc as it is; what undefined makes of a slot is 0. */
  assignedValue({ target, value }: ResolvedAssignment): string {
    if (value.op === 'call') return `kept(c, ${this.#rc(value)})`
    if (value.op === 'route') return this.#rc(value)
    const text = this.value(value)
    return target.op === 'slot' && this.kinds(value) & Kind.nothing ? `(${text} ?? 0)` : text
  }

  /** A function of the context that gives the text: formats handed over unevaluated. */
  format(value: ResolvedExpression): string {
    const emitter = this.#outsideOfRoutes()
    const text =
      value.op === 'format' ? emitter.text(value) : emitter.#formatCode({ op: 'format', parts: [value] })
    if (!emitter.mayFail) return this.hoist(`(c) => ${text}`)
    return this.hoist(`(c) => { try { return ${text} } catch (error) { caught(error); return '' } }`)
  }

  /** A VariableAccess. */
  access({ target, text }: ResolvedAccess): string {
    const emitter = this.#outsideOfRoutes()
    const read = emitter.value(target)
    const write = emitter.#writeValue(target)
    return this.hoist(`{ text: ${literal(text)}, read: (c) => ${read}, write: (c, value) => ${write} }`)
  }

  #writeValue(target: ResolvedExpression): string {
    if (target.op === 'slot') return `(${this.slot(target.slot)} = value ?? 0, true)`
    if (target.op === 'named-slot') return `writeSlot(c, ${this.text(target.name)}, value)`
    if (target.op === 'variable' && target.declaration.assignable) return this.#write(target, 'value')
    return 'false'
  }

  #outsideOfRoutes(): ExpressionEmitter {
    return new ExpressionEmitter(this.#names, 'outside')
  }

  /** A $var: a local of the route's function, or a place that all routes of the run share. */
  slot(slot: number): string {
    if (!this.#isInRoute) return `c.vars[${slot}]`
    if (isLocal(this.#names, slot)) return localName(this.#names, slot)
    this.sharesSlots = true
    return `s[${slot}]`
  }

  hoist(code: string): string {
    const { hoisted } = this.#names
    const known = hoisted.indexOf(code)
    return `h${known === -1 ? hoisted.push(code) - 1 : known}`
  }

  kinds(expression: ResolvedExpression): number {
    return kindsOf(expression, this.#names.flow.slotKinds)
  }

  #code(expression: ResolvedExpression): Code {
    switch (expression.op) {
      case 'constant':
        return constantCode(expression.value)
      case 'slot':
        return this.#typed(this.slot(expression.slot), expression)
      case 'named-slot':
        return { text: `readSlot(c, ${this.text(expression.name)})`, form: 'value' }
      case 'rc':
        return { text: 'c.rc', form: 'int' }
      case 'variable':
        return { text: this.#read(expression), form: 'value' }
      case 'transformation':
        return { text: this.#transformation(expression), form: 'value' }
      case 'format':
        return { text: this.#formatCode(expression), form: 'text' }
      case 'call':
        return { text: `(${this.#rc(expression)} > 0 || stopped(c))`, form: 'bool' }
      case 'route':
        return { text: `(${this.#rc(expression)} > 0)`, form: 'bool' }
      case 'assign':
        return { text: this.assignment(expression), form: 'bool' }
      case 'match':
        return { text: this.#match(expression), form: 'bool' }
      case 'condition':
        return { text: this.#condition(expression), form: 'bool' }
      case 'selval':
        return this.#typed(
          `(${this.truth(expression.condition)} ? ${this.value(expression.whenTrue)} : ${this.value(expression.whenFalse)})`,
          expression,
        )
      case 'binary':
        return this.#binary(expression)
      default:
        return this.#unary(expression)
    }
  }

  /** What the kinds say about code that could yield anything. */
  #typed(text: string, expression: ResolvedExpression): Code {
    const kinds = this.kinds(expression)
    return { text, form: kinds === Kind.int ? 'int' : kinds === Kind.text ? 'text' : 'value' }
  }

  #unary({ op, operand }: ResolvedUnary): Code {
    switch (op) {
      case 'not':
        return { text: `!${this.#nonzero(operand)}`, form: 'bool' }
      case 'negate':
        return { text: `(0 - ${this.int(operand)})`, form: 'int' }
      case 'complement':
        return { text: `(-1 - ${this.int(operand)})`, form: 'int' }
      case 'to-int':
        return { text: this.int(operand), form: 'int' }
      case 'to-string':
        return { text: this.text(operand), form: 'text' }
      case 'strlen':
        return { text: `${this.text(operand)}.length`, form: 'int' }
      case 'strempty':
        return { text: `(${this.text(operand)} === '')`, form: 'bool' }
      case 'defined':
        return { text: this.#defined(operand), form: 'bool' }
    }
  }

  /** Only what stands for a pseudo-variable can be undefined; anything compound is defined. */
  #defined(operand: ResolvedExpression): string {
    const isVariable =
      operand.op === 'variable' || operand.op === 'transformation' || operand.op === 'constant'
    return isVariable ? `(${this.value(operand)} !== null)` : 'true'
  }

  /** && and || and ! ask for "not 0", unlike if. */
  #nonzero(expression: ResolvedExpression): string {
    const { text, form } = this.#code(expression)
    return form === 'bool' ? text : `(${form === 'int' ? text : `toInt(c, ${text})`} !== 0)`
  }

  #binary(binary: ResolvedBinary): Code {
    const { operator, left, right } = binary
    const functionName = arithmetic.get(operator)
    if (functionName !== undefined) {
      return { text: `${functionName}(${this.int(left)}, ${this.int(right)})`, form: 'int' }
    }
    switch (operator) {
      case '&&':
      case '||':
        return { text: `(${this.#nonzero(left)} ${operator} ${this.#nonzero(right)})`, form: 'bool' }
      case '+':
        return this.#sum(left, right)
      case '/':
      case 'mod':
        return this.#division(operator, left, right)
      case '==':
      case '!=':
        return {
          text: operator === '==' ? this.#equal(left, right) : `!${this.#equal(left, right)}`,
          form: 'bool',
        }
      case 'eq':
      case 'ne':
        return {
          text: `(${this.text(left)} ${operator === 'eq' ? '===' : '!=='} ${this.text(right)})`,
          form: 'bool',
        }
      default: {
        const compare = comparisons.get(operator) ?? operator
        return { text: `(${this.int(left)} ${compare} ${this.int(right)})`, form: 'bool' }
      }
    }
  }

  #sum(left: ResolvedExpression, right: ResolvedExpression): Code {
    const kinds = this.kinds(left)
    if (kinds === Kind.int) return { text: `sum(${this.int(left)}, ${this.int(right)})`, form: 'int' }
    if ((kinds & Kind.int) === 0) return { text: `(${this.text(left)} + ${this.text(right)})`, form: 'text' }
    return { text: `plus(c, ${this.value(left)}, ${this.value(right)})`, form: 'value' }
  }

  #division(operator: '/' | 'mod', left: ResolvedExpression, right: ResolvedExpression): Code {
    const isSafe = right.op === 'constant' && typeof right.value === 'number' && right.value !== 0
    if (!isSafe) this.mayFail = true
    const functionName = operator === '/' ? 'divide' : 'remainder'
    return { text: `${functionName}(c, ${this.int(left)}, ${this.int(right)})`, form: 'int' }
  }

  /** The left operand's type decides how both are compared; undefined takes the right one's type. */
  #equal(left: ResolvedExpression, right: ResolvedExpression): string {
    const kinds = this.kinds(left)
    if (kinds === Kind.int) return `(${this.int(left)} === ${this.int(right)})`
    if (kinds === Kind.text) return `(${this.text(left)} === ${this.text(right)})`
    const constant = right.op === 'constant' ? right.value : null
    const isText = (kinds & Kind.int) === 0 && typeof constant === 'string' && constant !== ''
    const isInt = (kinds & Kind.text) === 0 && typeof constant === 'number' && constant !== 0
    if (isText || isInt) return `(${this.value(left)} === ${literal(constant)})`
    return `equal(c, ${this.value(left)}, ${this.value(right)})`
  }

  #match({ subject, pattern }: ResolvedMatch): string {
    const text = this.text(subject)
    if (typeof pattern === 'number') return `k${pattern}.test(${text})`
    this.touches = true
    return `matches(c, ${text}, ${this.text(pattern)})`
  }

  #condition(condition: Extract<ResolvedExpression, { op: 'condition' }>): string {
    this.touches = true
    const { subject, operator, operand } = condition
    return `host.condition(c, ${literal(subject)}, ${literal(operator)}, ${this.value(operand)})`
  }

  #read(variable: ResolvedVariable): string {
    this.touches = true
    const { inner } = variable
    const name = this.#names.variable(variable.reference)
    const index = this.#index(variable.index)
    if (inner.op === 'dynamic' && inner.prepare !== null) {
      return `readNamed(c, ${name}, k${inner.prepare}, ${this.text(inner.text)}, ${index})`
    }
    return `${name}.read(c, ${this.#inner(variable)}, ${index})`
  }

  #write(variable: ResolvedVariable, value: string): string {
    this.touches = true
    const { inner } = variable
    const name = this.#names.variable(variable.reference)
    const index = this.#index(variable.index)
    if (inner.op === 'dynamic' && inner.prepare !== null) {
      return `writeNamed(c, ${name}, ${value}, k${inner.prepare}, ${this.text(inner.text)}, ${index})`
    }
    return `${name}.write(c, ${value}, ${this.#inner(variable)}, ${index})`
  }

  #inner({ inner }: ResolvedVariable): string {
    switch (inner.op) {
      case 'none':
        return 'undefined'
      case 'prepared':
        return `k${inner.constant}`
      case 'text':
        return literal(inner.text)
      case 'dynamic':
        return this.text(inner.text)
      case 'headed':
        return `k${inner.make}(${this.text(inner.rest)})`
      case 'access':
        return this.access(inner.access)
    }
  }

  #index(index: ResolvedIndex): string {
    return index.op === 'constant' ? literal(index.value) : this.int(index.value)
  }

  /** A text that is undefined arrives as '', unless the transformation says what it becomes. */
  #transformation({ value, declaration, apply, parameters }: ResolvedTransformation): string {
    const list = parameters.map((parameter) =>
      parameter.type === 'int' ? this.int(parameter.value) : this.text(parameter.value),
    )
    const { ofNull } = declaration
    if (ofNull === undefined || (this.kinds(value) & Kind.nothing) === 0) {
      return `k${apply}(${[this.text(value), ...list].join(', ')})`
    }
    const code = this.value(value)
    if (!this.#isInRoute) return `transformed(k${apply}, ${code}, ${literal(ofNull)}, [${list.join(', ')}])`
    const temporary = this.temporary()
    const text = this.kinds(value) & Kind.int ? `toText(${temporary})` : temporary
    return `((${temporary} = ${code}) === null ? ${literal(ofNull)} : k${apply}(${[text, ...list].join(', ')}))`
  }

  /** Text and values joined; it starts with a text, so that + joins. */
  #formatCode({ parts }: ResolvedFormat): string {
    const codes = parts.map((part) => {
      if (part.op === 'constant') return literal(part.value ?? '<null>')
      // What a transformation cannot make is printed as nothing (measured on Kamailio 5.6.3).
      if (part.op === 'transformation') return this.text(part)
      const code = this.value(part)
      return this.kinds(part) & Kind.nothing ? `show(${code})` : code
    })
    const startsWithText = codes[0]?.startsWith('"') === true
    return `(${[...(startsWithText ? [] : ["''"]), ...codes].join(' + ')})`
  }

  /** @param unknown what becomes of $rc if there is no route of that name */
  #callCode(call: ResolvedCall | ResolvedRouteCall, unknown: string): string {
    return call.op === 'call' ? functionCall(this, call) : routeCall(this, this.#names, call, unknown)
  }

  #at(call: ResolvedCall | ResolvedRouteCall): string {
    return `c.at = ${this.#names.tables.place(call.span, call.text)}`
  }

  temporary(): string {
    return `t${this.temporaries++}`
  }
}

const arithmetic: ReadonlyMap<string, string> = new Map([
  ['-', 'difference'],
  ['*', 'product'],
  ['&', 'bitAnd'],
  ['|', 'bitOr'],
  ['^', 'bitXor'],
  ['<<', 'shiftLeft'],
  ['>>', 'shiftRight'],
])

const comparisons: ReadonlyMap<string, string> = new Map([
  ['ieq', '==='],
  ['ine', '!=='],
])

function constantCode(value: Value): Code {
  return { text: literal(value), form: typeof value === 'number' ? 'int' : value === null ? 'value' : 'text' }
}
