import { createToken, type IToken, type TokenType } from 'chevrotain'
import type { Span } from './source.ts'

/**
 * The tokens of the language (Kamailio 5.6's, with newer additions). There is no Chevrotain lexer: directives and
 * defines live below the level of tokens, so preprocess.ts makes the tokens itself (lexer.ts) and these types only
 * carry names and categories for the parser.
 */

/** What preprocess.ts makes. The parser sees `startOffset` = `endOffset` = the token's index; build-ast uses it. */
export interface ScriptToken extends IToken {
  /** The place a person wrote. */
  readonly span: Span
  /** The number, the string without quotes and escapes, or the text. */
  value: string | number
  /** True if blanks, comments or a line end stand before it. */
  readonly spaced: boolean
  /** A string without its closing quote has swallowed what follows; a brace was put in where one is missing. */
  readonly isIncomplete: boolean
}

const category = (name: string) => createToken({ name, pattern: /NOT_APPLICABLE/ })

/** A word that is free to be a name: identifiers, and the words of special conditions. */
export const Word = category('Word')
/** A word or a number, no keyword: how hosts and settings' values may start. */
export const PlainWord = category('PlainWord')
/** Everything made of letters and digits, keywords included: what may follow `:` or `-` in an event's name. */
export const AnyWord = category('AnyWord')
export const BinaryOperator = category('BinaryOperator')
export const PrefixOperator = category('PrefixOperator')
/** `request_route` and its kin. */
export const RouteWord = category('RouteWord')

const labels = new Map<TokenType, string>()

function token(name: string, label: string, ...categories: TokenType[]): TokenType {
  const type = createToken({ name, label, pattern: /NOT_APPLICABLE/, categories })
  labels.set(type, label)
  return type
}

export const Identifier = token('Identifier', 'a name', Word, PlainWord, AnyWord)
/** Starts with a digit and is no number: `3com`. */
export const NumberedWord = token('NumberedWord', 'a name', PlainWord, AnyWord)
/** `uri`, `src_ip`, ...: see conditionSubjects. */
export const Subject = token('Subject', 'a condition', Word, PlainWord, AnyWord)
const Myself = token('Myself', '`myself`', Word, PlainWord, AnyWord)
/** `udp`, `TLS`. */
export const Transport = token('Transport', 'a transport', Word, PlainWord, AnyWord)

export const NumberToken = token('Number', 'a number', PlainWord, AnyWord)
export const StringToken = token('String', 'a string')
export const Variable = token('Variable', 'a variable')
export const Select = token('Select', 'a select')
export const IpAddress = token('IpAddress', 'an IP address')
/** A character or a word that the language does not have: no rule accepts it. */
export const Unknown = token('Unknown', 'an unknown character')

const keyword = (word: string, ...categories: TokenType[]) =>
  token(`Keyword_${word}`, `\`${word}\``, AnyWord, ...categories)

export const If = keyword('if')
export const Else = keyword('else')
export const Switch = keyword('switch')
export const Case = keyword('case')
export const Default = keyword('default')
export const While = keyword('while')
export const Break = keyword('break')
export const Return = keyword('return')
export const Exit = keyword('exit')
export const Drop = keyword('drop')

export const Route = keyword('route', RouteWord)
const RequestRoute = keyword('request_route', RouteWord)
const BranchRoute = keyword('branch_route', RouteWord)
const FailureRoute = keyword('failure_route', RouteWord)
const OnreplyRoute = keyword('onreply_route', RouteWord)
const ReplyRoute = keyword('reply_route', RouteWord)
const OnsendRoute = keyword('onsend_route', RouteWord)
export const EventRoute = keyword('event_route', RouteWord)

export const LoadModule = keyword('loadmodule')
export const LoadModuleX = keyword('loadmodulex')
export const LoadPath = keyword('loadpath')
export const MPath = keyword('mpath')
export const CfgEngine = keyword('cfgengine')
export const ModParam = keyword('modparam')
export const ModParamX = keyword('modparamx')
export const Flags = keyword('flags')
export const Bool = keyword('bool')
export const Listen = keyword('listen')
export const Alias = keyword('alias')
export const Domain = keyword('domain')
export const Socket = keyword('socket')

const punctuation = (name: string, text: string, ...categories: TokenType[]) =>
  token(name, `\`${text}\``, ...categories)

export const LParen = punctuation('LParen', '(')
export const RParen = punctuation('RParen', ')')
export const LCurly = punctuation('LCurly', '{')
export const RCurly = punctuation('RCurly', '}')
export const LBracket = punctuation('LBracket', '[')
export const RBracket = punctuation('RBracket', ']')
export const Semicolon = punctuation('Semicolon', ';')
export const Comma = punctuation('Comma', ',')
export const Colon = punctuation('Colon', ':')
export const Dot = punctuation('Dot', '.')
export const Assign = punctuation('Assign', '=')

const operator = (name: string, text: string) => punctuation(name, text, BinaryOperator)

/** May also be part of a name: `htable:mod-init`. */
const wordOperator = (name: string, text: string) => punctuation(name, text, BinaryOperator, AnyWord)

const Or = operator('Or', '||')
const And = operator('And', '&&')
const BitOr = operator('BitOr', '|')
const BitAnd = operator('BitAnd', '&')
const BitXor = operator('BitXor', '^')
const ShiftLeft = operator('ShiftLeft', '<<')
const ShiftRight = operator('ShiftRight', '>>')
const Equal = operator('Equal', '==')
const NotEqual = operator('NotEqual', '!=')
const Matches = operator('Matches', '=~')
const StringEqual = wordOperator('StringEqual', 'eq')
const StringNotEqual = wordOperator('StringNotEqual', 'ne')
const IntEqual = wordOperator('IntEqual', 'ieq')
const IntNotEqual = wordOperator('IntNotEqual', 'ine')
const Less = operator('Less', '<')
const Greater = operator('Greater', '>')
const LessOrEqual = operator('LessOrEqual', '<=')
const GreaterOrEqual = operator('GreaterOrEqual', '>=')
const Plus = operator('Plus', '+')
export const Minus = punctuation('Minus', '-', BinaryOperator, PrefixOperator)
const Times = operator('Times', '*')
export const Slash = operator('Slash', '/')
const Modulo = wordOperator('Modulo', 'mod')
export const Not = punctuation('Not', '!', PrefixOperator)
const Complement = punctuation('Complement', '~', PrefixOperator)
const Defined = punctuation('Defined', 'defined', PrefixOperator, AnyWord)
const IntCast = punctuation('IntCast', '(int)', PrefixOperator)
const StringCast = punctuation('StringCast', '(str)', PrefixOperator)

/** Longest first: how lexer.ts reads what is not a word. */
export const punctuationTokens: readonly (readonly [string, TokenType])[] = [
  ['(int)', IntCast],
  ['(str)', StringCast],
  ['||', Or],
  ['&&', And],
  ['<<', ShiftLeft],
  ['>>', ShiftRight],
  ['<=', LessOrEqual],
  ['>=', GreaterOrEqual],
  ['==', Equal],
  ['!=', NotEqual],
  ['=~', Matches],
  ['=', Assign],
  ['<', Less],
  ['>', Greater],
  ['|', BitOr],
  ['&', BitAnd],
  ['^', BitXor],
  ['+', Plus],
  ['-', Minus],
  ['*', Times],
  ['/', Slash],
  ['!', Not],
  ['~', Complement],
  ['(', LParen],
  [')', RParen],
  ['{', LCurly],
  ['}', RCurly],
  ['[', LBracket],
  [']', RBracket],
  [';', Semicolon],
  [',', Comma],
  [':', Colon],
  ['.', Dot],
]

/**
 * What the bare words of special conditions may stand for: `uri == myself`, `src_port > 1024`. `status` is the
 * same token as `uri` in Kamailio; which of them is meant depends on whether a reply is routed.
 */
export const conditionSubjects: ReadonlySet<string> = new Set([
  'uri',
  'status',
  'from_uri',
  'to_uri',
  'method',
  'src_ip',
  'dst_ip',
  'snd_ip',
  'to_ip',
  'src_port',
  'dst_port',
  'snd_port',
  'to_port',
  'proto',
  'snd_proto',
  'to_proto',
  'af',
  'msg:len',
])

const keywords: readonly (readonly [string, TokenType])[] = [
  ['if', If],
  ['else', Else],
  ['switch', Switch],
  ['case', Case],
  ['default', Default],
  ['while', While],
  ['break', Break],
  ['return', Return],
  ['exit', Exit],
  ['drop', Drop],
  ['route', Route],
  ['request_route', RequestRoute],
  ['branch_route', BranchRoute],
  ['failure_route', FailureRoute],
  ['onreply_route', OnreplyRoute],
  ['reply_route', ReplyRoute],
  ['onsend_route', OnsendRoute],
  ['event_route', EventRoute],
  ['loadmodule', LoadModule],
  ['loadmodulex', LoadModuleX],
  ['loadpath', LoadPath],
  ['mpath', MPath],
  ['cfgengine', CfgEngine],
  ['modparam', ModParam],
  ['modparamx', ModParamX],
  ['flags', Flags],
  ['bool', Bool],
  ['listen', Listen],
  ['alias', Alias],
  ['domain', Domain],
  ['socket', Socket],
  ['or', Or],
  ['and', And],
  ['eq', StringEqual],
  ['ne', StringNotEqual],
  ['ieq', IntEqual],
  ['ine', IntNotEqual],
  ['mod', Modulo],
  ['not', Not],
  ['defined', Defined],
  ['myself', Myself],
]

const transports = ['udp', 'UDP', 'tcp', 'TCP', 'tls', 'TLS', 'sctp', 'SCTP', 'ws', 'WS', 'wss', 'WSS']

/** `else if` in other languages: never a name here, so that the error stands where it is (preprocess.ts). */
export const elseIfWords: ReadonlySet<string> = new Set(['elseif', 'elsif', 'elif'])

/** Words that are no identifiers, so that defines of that name do not apply to them. Case-sensitive. */
export const wordTokens: ReadonlyMap<string, TokenType> = new Map([
  ...keywords,
  ...[...conditionSubjects].map((word) => [word, Subject] as const),
  ...transports.map((word) => [word, Transport] as const),
])

/** Words that the grammar knows by their place; Kamailio never takes them for defines either. */
export const contextualWords: ReadonlySet<string> = new Set([
  'advertise',
  'name',
  'desc',
  'descr',
  'description',
  'strlen',
  'strempty',
  'selval',
])

/** Words that are numbers wherever they stand; `inet` and `inet6` are the address families of the C library. */
export const numberWords: ReadonlyMap<string, number> = new Map([
  ...['yes', 'true', 'on', 'enable'].map((word) => [word, 1] as const),
  ...['no', 'false', 'off', 'disable'].map((word) => [word, 0] as const),
  ...['inet', 'INET', 'ipv4', 'IPv4', 'IPV4'].map((word) => [word, 2] as const),
  ...['inet6', 'INET6', 'ipv6', 'IPv6', 'IPV6'].map((word) => [word, 10] as const),
])

/** Categories come first: Chevrotain must see them before their members. */
export const vocabulary: TokenType[] = [
  Word,
  PlainWord,
  AnyWord,
  BinaryOperator,
  PrefixOperator,
  RouteWord,
  ...labels.keys(),
]

/** How messages name a token type: `a string`, `;`. */
export function tokenLabel(type: TokenType): string {
  return labels.get(type) ?? categoryLabels.get(type) ?? type.name
}

const categoryLabels = new Map<TokenType, string>([
  [Word, 'a name'],
  [PlainWord, 'a value'],
  [AnyWord, 'a name'],
  [BinaryOperator, 'an operator'],
  [PrefixOperator, 'an expression'],
  [RouteWord, 'a route'],
])
