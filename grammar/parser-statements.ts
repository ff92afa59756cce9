import { ExpressionParser } from './parser-expressions.ts'
import {
  Break,
  Case,
  Colon,
  Default,
  Drop,
  Else,
  Exit,
  If,
  LCurly,
  LParen,
  RCurly,
  Return,
  Route,
  RParen,
  Semicolon,
  Slash,
  StringToken,
  Switch,
  While,
  Word,
} from './tokens.ts'

/** Statements and blocks. Looser than Kamailio: what may not stand as it does is refused in build-statements.ts. */
export abstract class StatementParser extends ExpressionParser {
  protected block = this.RULE('block', () => {
    this.CONSUME(LCurly)
    this.MANY(() => this.SUBRULE(this.statement))
    this.CONSUME(RCurly)
  })

  protected statement = this.RULE('statement', () => {
    this.OR([
      { ALT: () => this.CONSUME(Semicolon) },
      { ALT: () => this.SUBRULE(this.block) },
      { ALT: () => this.SUBRULE(this.assignmentStatement) },
      { ALT: () => this.SUBRULE(this.ifStatement) },
      { ALT: () => this.SUBRULE(this.switchStatement) },
      { ALT: () => this.SUBRULE(this.whileStatement) },
      { ALT: () => this.SUBRULE(this.breakStatement) },
      { ALT: () => this.SUBRULE(this.jump) },
      { ALT: () => this.SUBRULE(this.callStatement) },
    ])
  })

  protected assignmentStatement = this.RULE('assignmentStatement', () => {
    this.SUBRULE(this.assignment)
    this.CONSUME(Semicolon)
  })

  /** A chain of else-ifs is a loop here, so that its length costs no stack. */
  protected ifStatement = this.RULE('ifStatement', () => {
    this.CONSUME(If)
    this.SUBRULE(this.expression, { LABEL: 'conditions' })
    this.SUBRULE(this.statement, { LABEL: 'branches' })
    this.MANY(() => {
      this.CONSUME(Else)
      this.CONSUME1(If)
      this.SUBRULE1(this.expression, { LABEL: 'conditions' })
      this.SUBRULE1(this.statement, { LABEL: 'branches' })
    })
    this.OPTION(() => {
      this.CONSUME1(Else)
      this.SUBRULE2(this.statement, { LABEL: 'otherwise' })
    })
  })

  protected switchStatement = this.RULE('switchStatement', () => {
    this.CONSUME(Switch)
    this.SUBRULE(this.expression)
    this.CONSUME(LCurly)
    this.MANY(() => this.SUBRULE(this.switchCase))
    this.CONSUME(RCurly)
  })

  protected switchCase = this.RULE('switchCase', () => {
    this.OR([
      {
        ALT: () => {
          this.CONSUME(Case)
          this.OR1([
            {
              ALT: () => {
                this.CONSUME(Slash)
                this.CONSUME(StringToken, { LABEL: 'regex' })
              },
            },
            { ALT: () => this.SUBRULE(this.expression) },
          ])
        },
      },
      { ALT: () => this.CONSUME(Default) },
    ])
    this.CONSUME(Colon)
    this.MANY(() => this.SUBRULE(this.statement))
  })

  protected whileStatement = this.RULE('whileStatement', () => {
    this.CONSUME(While)
    this.SUBRULE(this.expression)
    this.SUBRULE(this.statement)
  })

  protected breakStatement = this.RULE('breakStatement', () => {
    this.CONSUME(Break)
    this.CONSUME(Semicolon)
  })

  protected jump = this.RULE('jump', () => {
    this.OR([
      { ALT: () => this.CONSUME(Return) },
      { ALT: () => this.CONSUME(Exit) },
      { ALT: () => this.CONSUME(Drop) },
    ])
    this.OR1([
      {
        GATE: () => this.LA(2).tokenType === RParen,
        ALT: () => {
          this.CONSUME(LParen)
          this.CONSUME(RParen)
        },
      },
      { ALT: () => this.OPTION(() => this.SUBRULE(this.expression)) },
    ])
    this.CONSUME(Semicolon)
  })

  protected callStatement = this.RULE('callStatement', () => {
    this.OR([
      { ALT: () => this.CONSUME(Word, { LABEL: 'name' }) },
      { ALT: () => this.CONSUME(Route, { LABEL: 'name' }) },
    ])
    this.OPTION(() => this.SUBRULE(this.callArguments))
    this.CONSUME(Semicolon)
  })
}
