import type {
  FunctionDeclaration,
  RouteKind,
  TransformationDeclaration,
  Value,
  VariableDeclaration,
} from './declarations.ts'
import type { Pattern } from './program.ts'
import type { Span } from './source.ts'

/**
 * The tree that resolve makes of the AST and emit prints as JavaScript: every name is bound, every argument is
 * prepared as far as it can be before the first message, `x == $null` is `not defined x`, calls know their route.
 */
export interface ResolvedRoute {
  readonly kind: RouteKind
  readonly name: string
  readonly span: Span
  readonly body: readonly ResolvedStatement[]
}

export type ResolvedStatement =
  | { readonly op: 'block'; readonly body: readonly ResolvedStatement[]; readonly span: Span }
  | { readonly op: 'expression'; readonly expression: ResolvedAction; readonly span: Span }
  | ResolvedIf
  | ResolvedSwitch
  | ResolvedWhile
  | { readonly op: 'break'; readonly span: Span }
  | {
      readonly op: 'return' | 'exit' | 'drop'
      readonly value: ResolvedExpression | null
      readonly span: Span
    }

export interface ResolvedIf {
  readonly op: 'if'
  readonly condition: ResolvedExpression
  readonly whenTrue: readonly ResolvedStatement[]
  readonly whenFalse: readonly ResolvedStatement[]
  readonly span: Span
}

export interface ResolvedWhile {
  readonly op: 'while'
  readonly condition: ResolvedExpression
  readonly body: readonly ResolvedStatement[]
  readonly span: Span
}

export interface ResolvedSwitch {
  readonly op: 'switch'
  readonly subject: ResolvedExpression
  /** The labels' type decides how the subject is compared. */
  readonly labels: 'number' | 'string'
  readonly cases: readonly ResolvedCase[]
  readonly span: Span
}

export interface ResolvedCase {
  /** Null: default. */
  readonly label: string | number | Pattern | null
  readonly body: readonly ResolvedStatement[]
  readonly span: Span
}

/** What may stand as a statement. */
export type ResolvedAction = ResolvedCall | ResolvedRouteCall | ResolvedAssignment

export type ResolvedExpression =
  | { readonly op: 'constant'; readonly value: Value }
  /** `$var(name)`: a slot of context.vars. */
  | { readonly op: 'slot'; readonly slot: number }
  /** `$var($x)`: the name is known at run time. */
  | { readonly op: 'named-slot'; readonly name: ResolvedExpression }
  | { readonly op: 'rc' }
  | ResolvedVariable
  | ResolvedTransformation
  | ResolvedFormat
  | ResolvedAction
  | ResolvedMatch
  | ResolvedUnary
  | ResolvedBinary
  | ResolvedSelval
  | {
      readonly op: 'condition'
      readonly subject: string
      readonly operator: string
      readonly operand: ResolvedExpression
    }

export interface ResolvedVariable {
  readonly op: 'variable'
  /** Index into Program.variables. */
  readonly reference: number
  readonly declaration: VariableDeclaration
  readonly inner: ResolvedInner
  readonly index: ResolvedIndex
  readonly text: string
}

/** What read and write get as `inner`. */
export type ResolvedInner =
  | { readonly op: 'none' }
  /** Prepared: index into the constants. */
  | { readonly op: 'prepared'; readonly constant: number }
  | { readonly op: 'text'; readonly text: string }
  | {
      readonly op: 'dynamic'
      readonly text: ResolvedExpression
      /** Index into the constants of the declared `prepare`. */
      readonly prepare: number | null
    }
  /** The beginning was prepared, see VariableDeclaration.prepareHead: index into the constants, and the rest. */
  | { readonly op: 'headed'; readonly make: number; readonly rest: ResolvedExpression }
  | { readonly op: 'access'; readonly access: ResolvedAccess }

export type ResolvedIndex =
  | { readonly op: 'constant'; readonly value: number | 'all' | null }
  | { readonly op: 'dynamic'; readonly value: ResolvedExpression }

/** A place that can be assigned to. */
export type ResolvedTarget = Extract<ResolvedExpression, { op: 'slot' | 'named-slot' | 'variable' }>

export interface ResolvedTransformation {
  readonly op: 'transformation'
  readonly value: ResolvedExpression
  readonly declaration: TransformationDeclaration
  /** Index into the constants of the declared `apply`. */
  readonly apply: number
  readonly parameters: readonly { readonly type: 'string' | 'int'; readonly value: ResolvedExpression }[]
}

/** Text with variables in it; a null in it is written as `<null>`. */
export interface ResolvedFormat {
  readonly op: 'format'
  readonly parts: readonly ResolvedExpression[]
}

export interface ResolvedCall {
  readonly op: 'call'
  /** Index into Program.functions. */
  readonly reference: number
  readonly declaration: FunctionDeclaration
  /** It may give a promise, as this script is. */
  readonly waits: boolean
  readonly args: readonly ResolvedArgument[]
  readonly span: Span
  readonly text: string
}

export interface ResolvedRouteCall {
  readonly op: 'route'
  /** The name of a route[NAME], or what gives it at run time. */
  readonly target: string | ResolvedExpression
  readonly span: Span
  readonly text: string
}

export interface ResolvedAssignment {
  readonly op: 'assign'
  readonly target: ResolvedTarget
  readonly value: ResolvedExpression
  readonly span: Span
  readonly text: string
}

/** An argument as the function gets it. */
export type ResolvedArgument =
  | { readonly op: 'literal'; readonly value: string | number }
  /** Prepared, or a Pattern: index into the constants. */
  | { readonly op: 'prepared'; readonly constant: number }
  | {
      readonly op: 'text' | 'int'
      readonly value: ResolvedExpression
      /** Index into the constants of the declared `prepare`. */
      readonly prepare: number | null
    }
  | { readonly op: 'flag'; readonly value: ResolvedExpression }
  | { readonly op: 'value'; readonly value: ResolvedExpression }
  | { readonly op: 'pattern'; readonly value: ResolvedExpression }
  | { readonly op: 'access'; readonly access: ResolvedAccess }
  | { readonly op: 'function'; readonly value: ResolvedExpression }
  /** Prepared, and it holds pseudo-variables: their values in the order of HoldsVariables.variables. */
  | {
      readonly op: 'holding'
      readonly constant: number
      readonly values: readonly ResolvedExpression[]
    }

/** A VariableAccess: made once when the program is linked. */
export interface ResolvedAccess {
  readonly target: ResolvedExpression
  readonly text: string
}

/** `=~`. */
export interface ResolvedMatch {
  readonly op: 'match'
  readonly subject: ResolvedExpression
  /** A constant pattern (index into the constants), or what gives its source at run time. */
  readonly pattern: number | ResolvedExpression
}

export interface ResolvedUnary {
  readonly op: 'not' | 'negate' | 'complement' | 'to-int' | 'to-string' | 'strlen' | 'strempty' | 'defined'
  readonly operand: ResolvedExpression
}

export interface ResolvedBinary {
  readonly op: 'binary'
  readonly operator:
    | '||'
    | '&&'
    | '|'
    | '&'
    | '^'
    | '<<'
    | '>>'
    | '=='
    | '!='
    | 'ieq'
    | 'ine'
    | 'eq'
    | 'ne'
    | '<'
    | '>'
    | '<='
    | '>='
    | '+'
    | '-'
    | '*'
    | '/'
    | 'mod'
  readonly left: ResolvedExpression
  readonly right: ResolvedExpression
}

export interface ResolvedSelval {
  readonly op: 'selval'
  readonly condition: ResolvedExpression
  readonly whenTrue: ResolvedExpression
  readonly whenFalse: ResolvedExpression
}

/** What a value may be: a set of bits. */
export const Kind = { int: 1, text: 2, nothing: 4, any: 7 } as const

/**
 * Which kinds of value an expression may yield.
 *
 * @param slotKinds what each $var slot may hold, found out over the whole script
 */
export function kindsOf(expression: ResolvedExpression, slotKinds: readonly number[]): number {
  switch (expression.op) {
    case 'constant':
      return kindOfValue(expression.value)
    case 'slot':
      return slotKinds[expression.slot] ?? Kind.int | Kind.text
    case 'named-slot':
      return Kind.int | Kind.text
    case 'variable':
      return kindsOfVariable(expression.declaration)
    case 'transformation':
      return Kind.any
    case 'format':
    case 'to-string':
      return Kind.text
    case 'selval':
      return kindsOf(expression.whenTrue, slotKinds) | kindsOf(expression.whenFalse, slotKinds)
    case 'binary':
      return expression.operator === '+' ? kindsOfSum(expression, slotKinds) : Kind.int
    default:
      return Kind.int
  }
}

function kindOfValue(value: Value): number {
  if (value === null) return Kind.nothing
  return typeof value === 'number' ? Kind.int : Kind.text
}

function kindsOfVariable(declaration: VariableDeclaration): number {
  if (declaration.type === 'int') return Kind.int | Kind.nothing
  return declaration.type === 'string' ? Kind.text | Kind.nothing : Kind.any
}

/** The left operand decides: an int adds, anything else concatenates. */
function kindsOfSum(sum: ResolvedBinary, slotKinds: readonly number[]): number {
  const left = kindsOf(sum.left, slotKinds)
  return (left & Kind.int) | (left & (Kind.text | Kind.nothing) ? Kind.text : 0)
}
