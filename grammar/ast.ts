import type { RouteKind } from './declarations.ts'
import type { Span } from './source.ts'

/**
 * The tree that build-ast.ts makes and resolve, check and emit read. Every node has its span. Names are those of
 * the language reference; nothing here is resolved yet: variables and functions are text.
 */
export interface Script {
  readonly items: readonly Item[]
}

export type Item =
  | GlobalAssignment
  | CustomGlobalAssignment
  | Listen
  | SocketBlock
  | AliasItem
  | FlagsItem
  | LoadModule
  | LoadPath
  | ModParam
  | RouteBlock

/** `children = 4`. The value is a constant; words such as LOG_LOCAL0 or udp come as `word`. */
export interface GlobalAssignment {
  readonly type: 'global'
  readonly name: string
  readonly nameSpan: Span
  readonly value: Constant
  readonly span: Span
}

/** `pstn.gw_ip = "x" desc "y"`, `group[1].var = 2`. */
export interface CustomGlobalAssignment {
  readonly type: 'custom-global'
  readonly group: string
  readonly instance: number | null
  readonly name: string
  readonly value: Constant
  readonly description: string
  readonly span: Span
}

export interface Constant {
  readonly kind: 'number' | 'string' | 'word'
  readonly value: string | number
  readonly span: Span
}

export interface Listen {
  readonly type: 'listen'
  readonly transport: string | null
  readonly host: string
  readonly port: number
  readonly advertisedHost: string | null
  readonly advertisedPort: number
  readonly name: string | null
  readonly span: Span
}

/** `socket = { bind = udp:1.2.3.4:5060; name = "s" }` of newer versions. */
export interface SocketBlock {
  readonly type: 'socket'
  readonly attributes: readonly { readonly name: string; readonly value: string; readonly span: Span }[]
  readonly span: Span
}

export interface AliasItem {
  readonly type: 'alias'
  readonly transport: string | null
  readonly host: string
  readonly port: number
  readonly span: Span
}

export interface FlagsItem {
  readonly type: 'flags'
  readonly flags: readonly { readonly name: string; readonly number: number | null; readonly span: Span }[]
  readonly span: Span
}

export interface LoadModule {
  readonly type: 'loadmodule'
  /** As written, pseudo-variables of loadmodulex not expanded. */
  readonly text: string
  readonly evaluated: boolean
  readonly span: Span
}

/** `loadpath`, `mpath`, `cfgengine`: accepted. */
export interface LoadPath {
  readonly type: 'loadpath' | 'cfgengine'
  readonly text: string
  readonly span: Span
}

export interface ModParam {
  readonly type: 'modparam'
  /** A regular expression over module names: `nathelper|registrar`. */
  readonly modules: string
  readonly modulesSpan: Span
  readonly name: string
  readonly nameSpan: Span
  readonly value: Constant | PseudoVariable
  /** modparamx: a string is a format string. */
  readonly evaluated: boolean
  readonly span: Span
}

export interface RouteBlock {
  readonly type: 'route'
  /** `request` with a name is `route[NAME]`; `branch-failure` and the like are event routes by name. */
  readonly kind: RouteKind
  /** '' for the unnamed one; numbers as text; event routes whole: `xhttp:request`. */
  readonly name: string
  readonly nameSpan: Span
  readonly body: Block
  readonly span: Span
}

export interface Block {
  readonly type: 'block'
  readonly statements: readonly Statement[]
  readonly span: Span
}

export type Statement =
  | Block
  | { readonly type: 'empty'; readonly span: Span }
  | Assignment
  | { readonly type: 'call'; readonly call: Call; readonly span: Span }
  | If
  | Switch
  | { readonly type: 'while'; readonly condition: Expression; readonly body: Statement; readonly span: Span }
  | { readonly type: 'break'; readonly span: Span }
  | { readonly type: 'return' | 'exit' | 'drop'; readonly value: Expression | null; readonly span: Span }

export interface Assignment {
  readonly type: 'assignment'
  readonly target: PseudoVariable
  readonly value: Expression
  readonly span: Span
}

export interface If {
  readonly type: 'if'
  readonly condition: Expression
  readonly then: Statement
  readonly otherwise: Statement | null
  readonly span: Span
}

export interface Switch {
  readonly type: 'switch'
  readonly subject: Expression
  readonly cases: readonly SwitchCase[]
  readonly span: Span
}

export interface SwitchCase {
  /** null: default. `regex`: `case /"re":`. */
  readonly label: { readonly kind: 'number' | 'string' | 'regex'; readonly value: string | number } | null
  readonly statements: readonly Statement[]
  readonly span: Span
}

export type Expression =
  | NumberLiteral
  | StringLiteral
  | PseudoVariable
  | Select
  | Call
  | Assignment
  | Unary
  | Binary
  | Condition
  | {
      readonly type: 'cast'
      readonly to: 'int' | 'string'
      readonly operand: Expression
      readonly span: Span
    }
  | { readonly type: 'defined'; readonly operand: Expression; readonly span: Span }
  /** strlen, strempty, selval: built into the grammar. */
  | {
      readonly type: 'builtin'
      readonly name: 'strlen' | 'strempty' | 'selval'
      readonly args: readonly Expression[]
      readonly span: Span
    }
  /** A bare word where an expression is expected: route names, flag names, hosts, methods. */
  | { readonly type: 'word'; readonly text: string; readonly span: Span }

export interface NumberLiteral {
  readonly type: 'number'
  readonly value: number
  readonly span: Span
}

export interface StringLiteral {
  readonly type: 'string'
  /** Escapes resolved, adjacent strings joined, #!subst applied. */
  readonly value: string
  readonly span: Span
}

/** As written: `$var(x)`, `$(hdr(From)[0]{s.len})`. pseudo-variable.ts takes it apart. */
export interface PseudoVariable {
  readonly type: 'variable'
  readonly text: string
  readonly span: Span
}

/** `@cfg_get.pstn.gw_ip`, without the @. */
export interface Select {
  readonly type: 'select'
  readonly text: string
  readonly span: Span
}

export interface Call {
  readonly type: 'function'
  /** `route` for route(X). */
  readonly name: string
  readonly nameSpan: Span
  /** null: an empty first argument. */
  readonly args: readonly (Expression | null)[]
  readonly span: Span
}

export interface Unary {
  readonly type: 'unary'
  readonly operator: '!' | '-' | '~'
  readonly operand: Expression
  readonly span: Span
}

export type BinaryOperator =
  | '||'
  | '&&'
  | '|'
  | '&'
  | '^'
  | '<<'
  | '>>'
  | '=='
  | '!='
  | '=~'
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

export interface Binary {
  readonly type: 'binary'
  readonly operator: BinaryOperator
  readonly left: Expression
  readonly right: Expression
  readonly span: Span
}

/** `uri == myself`, `src_ip == 10.0.0.0/8`, `method == INVITE`, `proto == udp`: the bare special conditions. */
export interface Condition {
  readonly type: 'condition'
  readonly subject: string
  readonly operator: '==' | '!=' | '=~' | '<' | '>' | '<=' | '>='
  /** `net`: an address or a network literal as text. `word`: INVITE, udp, a host name. */
  readonly operand:
    | { readonly kind: 'myself' | 'net' | 'word'; readonly text: string; readonly span: Span }
    | Expression
  readonly span: Span
}
