import { CstParser } from 'chevrotain'
import {
  AnyWord,
  Assign,
  BinaryOperator,
  Colon,
  Comma,
  Dot,
  IpAddress,
  LBracket,
  LParen,
  Minus,
  NumberToken,
  PlainWord,
  PrefixOperator,
  RBracket,
  Route,
  RParen,
  type ScriptToken,
  Select,
  Slash,
  StringToken,
  Transport,
  Variable,
  Word,
} from './tokens.ts'

/**
 * Expressions, and the addresses that may stand where an expression may. An expression is a flat list of operands
 * and operators: precedence is a table in build-expressions.ts, not a dozen rules here.
 */
export abstract class ExpressionParser extends CstParser {
  protected expression = this.RULE('expression', () => {
    this.SUBRULE(this.operand)
    this.MANY(() => {
      this.CONSUME(BinaryOperator)
      this.SUBRULE1(this.operand)
    })
  })

  protected operand = this.RULE('operand', () => {
    this.MANY(() => this.CONSUME(PrefixOperator))
    this.SUBRULE(this.primary)
  })

  protected primary = this.RULE('primary', () => {
    this.OR([
      // A number is also how a host may start (`3.example.com`), which is no value: the number comes first.
      { ALT: () => this.CONSUME(NumberToken), IGNORE_AMBIGUITIES: true },
      { ALT: () => this.CONSUME(StringToken) },
      { ALT: () => this.CONSUME(Variable) },
      { ALT: () => this.CONSUME(Select) },
      { GATE: () => this.LA(2).tokenType === LParen, ALT: () => this.SUBRULE(this.call) },
      { ALT: () => this.SUBRULE(this.parenthesized) },
      { ALT: () => this.SUBRULE(this.network) },
      { ALT: () => this.SUBRULE(this.words) },
    ])
  })

  protected call = this.RULE('call', () => {
    this.OR([
      { ALT: () => this.CONSUME(Word, { LABEL: 'name' }) },
      { ALT: () => this.CONSUME(Route, { LABEL: 'name' }) },
    ])
    this.SUBRULE(this.callArguments)
  })

  protected callArguments = this.RULE('callArguments', () => {
    this.CONSUME(LParen)
    this.OPTION(() => this.SUBRULE(this.argument, { LABEL: 'first' }))
    this.MANY(() => {
      this.CONSUME(Comma)
      this.SUBRULE1(this.argument, { LABEL: 'rest' })
    })
    this.CONSUME(RParen)
  })

  protected argument = this.RULE('argument', () => {
    this.OR([
      { GATE: () => this.isSocketAddress(), ALT: () => this.SUBRULE(this.socketAddress) },
      { ALT: () => this.SUBRULE(this.expression) },
    ])
  })

  protected parenthesized = this.RULE('parenthesized', () => {
    this.CONSUME(LParen)
    this.OR([
      { GATE: () => this.LA(2).tokenType === Assign, ALT: () => this.SUBRULE(this.assignment) },
      { ALT: () => this.SUBRULE(this.expression) },
    ])
    this.CONSUME(RParen)
  })

  protected assignment = this.RULE('assignment', () => {
    this.CONSUME(Variable)
    this.CONSUME(Assign)
    this.SUBRULE(this.expression)
  })

  /** `10.0.0.1`, `10.0.0.0/8`, `10.0.0.0/255.0.0.0`, `[2001:db8::1]`. */
  protected network = this.RULE('network', () => {
    this.OR([
      { ALT: () => this.CONSUME(IpAddress) },
      {
        ALT: () => {
          this.CONSUME(LBracket)
          this.CONSUME1(IpAddress)
          this.CONSUME(RBracket)
        },
      },
    ])
    this.OPTION(() => {
      this.CONSUME(Slash)
      this.OR1([
        { ALT: () => this.CONSUME2(IpAddress, { LABEL: 'mask' }) },
        { ALT: () => this.CONSUME(NumberToken, { LABEL: 'mask' }) },
      ])
    })
  })

  // --- addresses

  /** `udp:10.0.0.1:5060`, `eth0`, `[::1]:5060`, `(10.0.0.1, 10.0.0.2)`, `uri:host`. */
  protected socketAddress = this.RULE('socketAddress', () => {
    this.OPTION({
      GATE: () => this.LA(2).tokenType === Colon && this.isPrefixWord(),
      DEF: () => {
        this.CONSUME(Word, { LABEL: 'transport' })
        this.CONSUME(Colon)
      },
    })
    this.OR([
      { ALT: () => this.SUBRULE(this.host) },
      {
        ALT: () => {
          this.CONSUME(LParen)
          this.AT_LEAST_ONE_SEP({ SEP: Comma, DEF: () => this.SUBRULE1(this.host) })
          this.CONSUME(RParen)
        },
      },
    ])
    this.OPTION1(() => {
      this.CONSUME1(Colon)
      this.CONSUME(NumberToken, { LABEL: 'port' })
    })
  })

  protected host = this.RULE('host', () => {
    this.OR([
      { ALT: () => this.CONSUME(IpAddress) },
      {
        ALT: () => {
          this.CONSUME(LBracket)
          this.CONSUME1(IpAddress)
          this.CONSUME(RBracket)
        },
      },
      { ALT: () => this.CONSUME(StringToken) },
      { ALT: () => this.SUBRULE(this.words) },
    ])
  })

  /** `sip.example.com`, `my-host`: words joined by dots and by hyphens without blanks. */
  protected words = this.RULE('words', () => {
    this.CONSUME(PlainWord)
    this.MANY({
      GATE: () => this.isJoined(),
      DEF: () => {
        this.OR([{ ALT: () => this.CONSUME(Dot) }, { ALT: () => this.CONSUME(Minus) }])
        this.CONSUME(AnyWord)
      },
    })
  })

  // --- what a rule looks at before it goes on

  protected isWord(...words: string[]): boolean {
    return words.includes(this.LA(1).image)
  }

  private isPrefixWord(): boolean {
    const type = this.LA(1).tokenType
    return type === Transport || (type.CATEGORIES ?? []).includes(Word)
  }

  /** A list of hosts ends where a setting starts: nothing but the next `=` tells them apart. */
  protected isNextHost(): boolean {
    if (this.LA(2).tokenType === Assign || this.isWord('advertise', 'name')) return false
    if (this.LA(2).tokenType === LBracket) return false
    return !(this.LA(2).tokenType === Dot && this.LA(4).tokenType === Assign)
  }

  private isJoined(): boolean {
    if (this.LA(1).tokenType === Dot) return true
    return !isSpaced(this.LA(1)) && !isSpaced(this.LA(2))
  }

  private isSocketAddress(): boolean {
    if (this.LA(1).tokenType === LBracket) return this.LA(4).tokenType === Colon
    return this.LA(2).tokenType === Colon
  }
}

function isSpaced(token: unknown): boolean {
  return (token as Partial<ScriptToken>).spaced === true
}
