import { type CstNode, CstParser, type IParserErrorMessageProvider, type TokenType } from 'chevrotain'
import {
  Alias,
  AnyWord,
  Assign,
  BinaryOperator,
  Bool,
  Break,
  Case,
  CfgEngine,
  Colon,
  Comma,
  Default,
  Domain,
  Dot,
  Drop,
  Else,
  Exit,
  Flags,
  If,
  IpAddress,
  LBracket,
  LCurly,
  Listen,
  LoadModule,
  LoadModuleX,
  LoadPath,
  LParen,
  Minus,
  ModParam,
  ModParamX,
  MPath,
  NumberToken,
  PlainWord,
  PrefixOperator,
  RBracket,
  RCurly,
  Return,
  Route,
  RouteWord,
  RParen,
  type ScriptToken,
  Select,
  Semicolon,
  Slash,
  Socket,
  StringToken,
  Switch,
  Transport,
  tokenLabel,
  Variable,
  vocabulary,
  While,
  Word,
} from './tokens.ts'

/**
 * The grammar, as rules over tokens (Kamailio's grammar of 5.6 and what newer versions add). It is loose where a
 * looser rule makes a better message: build-ast.ts refuses `request_route[X]` and the empty block, which Kamailio
 * does not parse. An expression is a flat list of operands and operators: precedence is a table there, not a
 * dozen rules here.
 *
 * Chevrotain recovers from errors, so one run finds them all; syntax-errors.ts turns its findings into sentences.
 */
class ScriptParser extends CstParser {
  constructor() {
    super(vocabulary, {
      recoveryEnabled: true,
      maxLookahead: 2,
      // Tokens carry their index as offset: a node's location is the first and the last token's index.
      nodeLocationTracking: 'onlyOffset',
      errorMessageProvider: expectations,
      // The grammar's own consistency is a test's business, not every start's.
      skipValidations: true,
    })
    this.performSelfAnalysis()
  }

  script = this.RULE('script', () => {
    this.MANY(() => this.SUBRULE(this.item))
  })

  private item = this.RULE('item', () => {
    this.OR([
      { ALT: () => this.CONSUME(Semicolon) },
      { ALT: () => this.SUBRULE(this.routeBlock) },
      { ALT: () => this.SUBRULE(this.loadModule) },
      { ALT: () => this.SUBRULE(this.loadPath) },
      { ALT: () => this.SUBRULE(this.modParam) },
      { ALT: () => this.SUBRULE(this.flags) },
      { ALT: () => this.SUBRULE(this.listen) },
      { ALT: () => this.SUBRULE(this.alias) },
      { ALT: () => this.SUBRULE(this.socketBlock) },
      { ALT: () => this.SUBRULE(this.global) },
    ])
  })

  // --- settings

  private global = this.RULE('global', () => {
    this.CONSUME(Word, { LABEL: 'name' })
    this.OPTION(() => {
      this.CONSUME(LBracket)
      this.CONSUME(NumberToken, { LABEL: 'instance' })
      this.CONSUME(RBracket)
    })
    this.OPTION1(() => {
      this.CONSUME(Dot)
      this.CONSUME(AnyWord, { LABEL: 'member' })
    })
    this.CONSUME(Assign)
    this.SUBRULE(this.constant)
    this.OPTION2({
      GATE: () => this.#isWord('desc', 'descr', 'description'),
      DEF: () => {
        this.CONSUME1(Word)
        this.CONSUME1(StringToken, { LABEL: 'description' })
      },
    })
  })

  private constant = this.RULE('constant', () => {
    this.OPTION(() => this.CONSUME(Minus))
    this.SUBRULE(this.host)
  })

  private flags = this.RULE('flags', () => {
    this.OR([{ ALT: () => this.CONSUME(Flags) }, { ALT: () => this.CONSUME(Bool) }])
    this.AT_LEAST_ONE_SEP({ SEP: Comma, DEF: () => this.SUBRULE(this.flag) })
  })

  private flag = this.RULE('flag', () => {
    this.OR([
      { ALT: () => this.CONSUME(Word, { LABEL: 'name' }) },
      { ALT: () => this.CONSUME(StringToken, { LABEL: 'name' }) },
    ])
    this.OPTION(() => {
      this.CONSUME(Colon)
      this.CONSUME(NumberToken)
    })
  })

  // --- sockets

  private listen = this.RULE('listen', () => {
    this.CONSUME(Listen)
    this.CONSUME(Assign)
    this.SUBRULE(this.listenAddress)
    this.MANY({ GATE: () => this.#isNextHost(), DEF: () => this.SUBRULE1(this.listenAddress) })
  })

  private listenAddress = this.RULE('listenAddress', () => {
    this.SUBRULE(this.socketAddress)
    this.OPTION({
      GATE: () => this.#isWord('advertise'),
      DEF: () => {
        this.CONSUME(Word)
        this.SUBRULE1(this.socketAddress, { LABEL: 'advertised' })
      },
    })
    this.OPTION1({
      GATE: () => this.#isWord('name'),
      DEF: () => {
        this.CONSUME1(Word)
        this.CONSUME(StringToken, { LABEL: 'name' })
      },
    })
  })

  private alias = this.RULE('alias', () => {
    this.OR([{ ALT: () => this.CONSUME(Alias) }, { ALT: () => this.CONSUME(Domain) }])
    this.CONSUME(Assign)
    this.SUBRULE(this.socketAddress)
    this.MANY({ GATE: () => this.#isNextHost(), DEF: () => this.SUBRULE1(this.socketAddress) })
  })

  private socketBlock = this.RULE('socketBlock', () => {
    this.CONSUME(Socket)
    this.CONSUME(Assign)
    this.CONSUME(LCurly)
    this.MANY(() => this.SUBRULE(this.socketAttribute))
    this.CONSUME(RCurly)
  })

  private socketAttribute = this.RULE('socketAttribute', () => {
    this.CONSUME(AnyWord, { LABEL: 'name' })
    this.CONSUME(Assign)
    this.SUBRULE(this.socketAddress)
    this.OPTION(() => {
      this.CONSUME(Minus)
      this.CONSUME(NumberToken, { LABEL: 'lastPort' })
    })
    this.OPTION1(() => this.CONSUME(Semicolon))
  })

  /** `udp:10.0.0.1:5060`, `eth0`, `[::1]:5060`, `(10.0.0.1, 10.0.0.2)`, `uri:host`. */
  private socketAddress = this.RULE('socketAddress', () => {
    this.OPTION({
      GATE: () => this.LA(2).tokenType === Colon && this.#isPrefixWord(),
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

  private host = this.RULE('host', () => {
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
  private words = this.RULE('words', () => {
    this.CONSUME(PlainWord)
    this.MANY({
      GATE: () => this.#isJoined(),
      DEF: () => {
        this.OR([{ ALT: () => this.CONSUME(Dot) }, { ALT: () => this.CONSUME(Minus) }])
        this.CONSUME(AnyWord)
      },
    })
  })

  // --- modules

  private loadModule = this.RULE('loadModule', () => {
    this.OR([{ ALT: () => this.CONSUME(LoadModule) }, { ALT: () => this.CONSUME(LoadModuleX) }])
    this.OR1([
      { ALT: () => this.CONSUME(StringToken) },
      {
        ALT: () => {
          this.CONSUME(LParen)
          this.CONSUME1(StringToken)
          this.OPTION(() => {
            this.CONSUME(Comma)
            this.CONSUME2(StringToken, { LABEL: 'options' })
          })
          this.CONSUME(RParen)
        },
      },
    ])
  })

  private loadPath = this.RULE('loadPath', () => {
    this.OR([
      { ALT: () => this.CONSUME(LoadPath) },
      { ALT: () => this.CONSUME(MPath) },
      { ALT: () => this.CONSUME(CfgEngine) },
    ])
    this.OPTION(() => this.CONSUME(Assign))
    this.CONSUME(StringToken)
  })

  private modParam = this.RULE('modParam', () => {
    this.OR([{ ALT: () => this.CONSUME(ModParam) }, { ALT: () => this.CONSUME(ModParamX) }])
    this.CONSUME(LParen)
    this.CONSUME(StringToken, { LABEL: 'modules' })
    this.CONSUME(Comma)
    this.CONSUME1(StringToken, { LABEL: 'name' })
    this.CONSUME1(Comma)
    this.OR1([{ ALT: () => this.CONSUME(Variable) }, { ALT: () => this.SUBRULE(this.constant) }])
    this.CONSUME(RParen)
  })

  // --- routes and statements

  private routeBlock = this.RULE('routeBlock', () => {
    this.CONSUME(RouteWord)
    this.OPTION(() => {
      this.CONSUME(LBracket)
      this.SUBRULE(this.routeName)
      this.CONSUME(RBracket)
    })
    this.SUBRULE(this.block)
  })

  private routeName = this.RULE('routeName', () => {
    this.OR([
      { ALT: () => this.CONSUME(StringToken) },
      {
        ALT: () => {
          this.CONSUME(AnyWord)
          this.MANY(() => {
            this.OR1([
              { ALT: () => this.CONSUME(Colon) },
              { ALT: () => this.CONSUME(Minus) },
              { ALT: () => this.CONSUME(Dot) },
            ])
            this.CONSUME1(AnyWord)
          })
        },
      },
    ])
  })

  private block = this.RULE('block', () => {
    this.CONSUME(LCurly)
    this.MANY(() => this.SUBRULE(this.statement))
    this.CONSUME(RCurly)
  })

  private statement = this.RULE('statement', () => {
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

  private assignmentStatement = this.RULE('assignmentStatement', () => {
    this.SUBRULE(this.assignment)
    this.CONSUME(Semicolon)
  })

  private assignment = this.RULE('assignment', () => {
    this.CONSUME(Variable)
    this.CONSUME(Assign)
    this.SUBRULE(this.expression)
  })

  /** A chain of else-ifs is a loop here, so that its length costs no stack. */
  private ifStatement = this.RULE('ifStatement', () => {
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

  private switchStatement = this.RULE('switchStatement', () => {
    this.CONSUME(Switch)
    this.SUBRULE(this.expression)
    this.CONSUME(LCurly)
    this.MANY(() => this.SUBRULE(this.switchCase))
    this.CONSUME(RCurly)
  })

  private switchCase = this.RULE('switchCase', () => {
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

  private whileStatement = this.RULE('whileStatement', () => {
    this.CONSUME(While)
    this.SUBRULE(this.expression)
    this.SUBRULE(this.statement)
  })

  private breakStatement = this.RULE('breakStatement', () => {
    this.CONSUME(Break)
    this.CONSUME(Semicolon)
  })

  private jump = this.RULE('jump', () => {
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

  private callStatement = this.RULE('callStatement', () => {
    this.OR([
      { ALT: () => this.CONSUME(Word, { LABEL: 'name' }) },
      { ALT: () => this.CONSUME(Route, { LABEL: 'name' }) },
    ])
    this.OPTION(() => this.SUBRULE(this.callArguments))
    this.CONSUME(Semicolon)
  })

  // --- expressions

  private expression = this.RULE('expression', () => {
    this.SUBRULE(this.operand)
    this.MANY(() => {
      this.CONSUME(BinaryOperator)
      this.SUBRULE1(this.operand)
    })
  })

  private operand = this.RULE('operand', () => {
    this.MANY(() => this.CONSUME(PrefixOperator))
    this.SUBRULE(this.primary)
  })

  private primary = this.RULE('primary', () => {
    this.OR([
      { ALT: () => this.CONSUME(NumberToken) },
      { ALT: () => this.CONSUME(StringToken) },
      { ALT: () => this.CONSUME(Variable) },
      { ALT: () => this.CONSUME(Select) },
      { GATE: () => this.LA(2).tokenType === LParen, ALT: () => this.SUBRULE(this.call) },
      { ALT: () => this.SUBRULE(this.parenthesized) },
      { ALT: () => this.SUBRULE(this.network) },
      { ALT: () => this.SUBRULE(this.words) },
    ])
  })

  private call = this.RULE('call', () => {
    this.OR([
      { ALT: () => this.CONSUME(Word, { LABEL: 'name' }) },
      { ALT: () => this.CONSUME(Route, { LABEL: 'name' }) },
    ])
    this.SUBRULE(this.callArguments)
  })

  private callArguments = this.RULE('callArguments', () => {
    this.CONSUME(LParen)
    this.OPTION(() => this.SUBRULE(this.argument, { LABEL: 'first' }))
    this.MANY(() => {
      this.CONSUME(Comma)
      this.SUBRULE1(this.argument, { LABEL: 'rest' })
    })
    this.CONSUME(RParen)
  })

  private argument = this.RULE('argument', () => {
    this.OR([
      { GATE: () => this.#isSocketAddress(), ALT: () => this.SUBRULE(this.socketAddress) },
      { ALT: () => this.SUBRULE(this.expression) },
    ])
  })

  private parenthesized = this.RULE('parenthesized', () => {
    this.CONSUME(LParen)
    this.OR([
      { GATE: () => this.LA(2).tokenType === Assign, ALT: () => this.SUBRULE(this.assignment) },
      { ALT: () => this.SUBRULE(this.expression) },
    ])
    this.CONSUME(RParen)
  })

  /** `10.0.0.1`, `10.0.0.0/8`, `10.0.0.0/255.0.0.0`, `[2001:db8::1]`. */
  private network = this.RULE('network', () => {
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

  // --- what a rule looks at before it goes on

  #isWord(...words: string[]): boolean {
    return words.includes(this.LA(1).image)
  }

  #isPrefixWord(): boolean {
    const type = this.LA(1).tokenType
    return type === Transport || (type.CATEGORIES ?? []).includes(Word)
  }

  /** A list of hosts ends where a setting starts: nothing but the next `=` tells them apart. */
  #isNextHost(): boolean {
    if (this.LA(2).tokenType === Assign || this.#isWord('advertise', 'name')) return false
    if (this.LA(2).tokenType === LBracket) return false
    return !(this.LA(2).tokenType === Dot && this.LA(4).tokenType === Assign)
  }

  #isJoined(): boolean {
    if (this.LA(1).tokenType === Dot) return true
    return !isSpaced(this.LA(1)) && !isSpaced(this.LA(2))
  }

  #isSocketAddress(): boolean {
    if (this.LA(1).tokenType === LBracket) return this.LA(4).tokenType === Colon
    return this.LA(2).tokenType === Colon
  }

  // --- recovery

  /** Only punctuation may be imagined: an imagined name or string would raise questions of its own. */
  override canTokenTypeBeInsertedInRecovery(type: TokenType): boolean {
    return insertable.has(type)
  }
}

const insertable: ReadonlySet<TokenType> = new Set([Semicolon, RParen, RBracket, RCurly, Comma, Colon])

function isSpaced(token: unknown): boolean {
  return (token as Partial<ScriptToken>).spaced === true
}

/** Messages are made in syntax-errors.ts; Chevrotain's carry what was expected, in our words. */
const expectations: IParserErrorMessageProvider = {
  buildMismatchTokenMessage: ({ expected }) => tokenLabel(expected),
  buildNotAllInputParsedMessage: () => '',
  buildNoViableAltMessage: () => '',
  buildEarlyExitMessage: () => '',
}

/** Made once: its self-analysis costs more than parsing most scripts. */
let parser: ScriptParser | null = null

export interface ParseOutcome {
  readonly tree: CstNode
  readonly errors: ScriptParser['errors']
}

/** Never throws: the tree has what could be understood. */
export function parseTokens(tokens: ScriptToken[]): ParseOutcome {
  parser ??= new ScriptParser()
  parser.input = tokens
  const tree = parser.script()
  return { tree, errors: parser.errors }
}
