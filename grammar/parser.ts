import type { CstNode, IParserErrorMessageProvider, TokenType } from 'chevrotain'
import { StatementParser } from './parser-statements.ts'
import {
  Alias,
  AnyWord,
  Assign,
  Bool,
  CfgEngine,
  Colon,
  Comma,
  Domain,
  Dot,
  Flags,
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
  RBracket,
  RCurly,
  RouteWord,
  RParen,
  type ScriptToken,
  Semicolon,
  Socket,
  StringToken,
  tokenLabel,
  Variable,
  vocabulary,
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
export class ScriptParser extends StatementParser {
  constructor(skipValidations = true) {
    super(vocabulary, {
      recoveryEnabled: true,
      maxLookahead: 2,
      // Tokens carry their index as offset: a node's location is the first and the last token's index.
      nodeLocationTracking: 'onlyOffset',
      errorMessageProvider: expectations,
      // The grammar's own consistency is a test's business, not every start's.
      skipValidations,
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
      GATE: () => this.isWord('desc', 'descr', 'description'),
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
    this.MANY({ GATE: () => this.isNextHost(), DEF: () => this.SUBRULE1(this.listenAddress) })
  })

  private listenAddress = this.RULE('listenAddress', () => {
    this.SUBRULE(this.socketAddress)
    this.OPTION({
      GATE: () => this.isWord('advertise'),
      DEF: () => {
        this.CONSUME(Word)
        this.SUBRULE1(this.socketAddress, { LABEL: 'advertised' })
      },
    })
    this.OPTION1({
      GATE: () => this.isWord('name'),
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
    this.MANY({ GATE: () => this.isNextHost(), DEF: () => this.SUBRULE1(this.socketAddress) })
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

  // --- routes

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

  // --- recovery

  /** Only punctuation may be imagined: an imagined name or string would raise questions of its own. */
  override canTokenTypeBeInsertedInRecovery(type: TokenType): boolean {
    return insertable.has(type)
  }
}

const insertable: ReadonlySet<TokenType> = new Set([Semicolon, RParen, RBracket, RCurly, Comma, Colon])

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
