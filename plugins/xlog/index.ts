import {
  anyRoute,
  definePlugin,
  type FunctionDeclaration,
  type Log,
  logLevel,
  type RouteContext,
} from '../../src/plugin/index.ts'
import { readable } from './readable.ts'

type LogLevel = NonNullable<ReturnType<typeof logLevel>>
/** A text with pseudo-variables, evaluated only if the line is written. */
type Format = (context: RouteContext) => string

const returns = { '1': 'always' } as const
const text = { name: 'text', type: 'format', doc: 'What to log; may hold pseudo-variables.' } as const

const levelled = {
  in: anyRoute,
  args: [
    {
      name: 'level or text',
      type: 'format',
      doc: 'L_ALERT to L_DBG or a number, if a text follows; else the text.',
    },
    { name: 'text', type: 'format', optional: true, doc: 'What to log; with a third argument, the level.' },
    {
      name: 'text after facility and level',
      type: 'format',
      optional: true,
      doc: 'What to log; the facility is ignored.',
    },
  ],
  returns,
} as const

function fixed(level: string) {
  return {
    in: anyRoute,
    args: [text],
    returns,
    doc: `Logs a text at level ${level}.`,
  } as const satisfies FunctionDeclaration
}

export default definePlugin({
  name: 'xlog',
  summary: 'Log lines with pseudo-variables (Kamailio: xlog).',
  params: {
    buf_size: {
      type: 'int',
      default: 4096,
      unit: 'octets',
      ignored: 'lines have no fixed size',
      doc: 'Longest line.',
    },
    force_color: { type: 'int', default: 0, ignored: 'a terminal gets colours by itself', doc: 'Colours.' },
    long_format: {
      type: 'int',
      default: 0,
      ignored: 'file and line are fields of each line',
      doc: 'File and line in the text.',
    },
    prefix: { type: 'string', default: '', doc: 'Text before each line.' },
    prefix_mode: {
      type: 'int',
      default: 0,
      ignored: 'the prefix is a plain text',
      doc: 'Evaluate variables in the prefix.',
    },
    log_facility: {
      type: 'string',
      default: '',
      ignored: 'logs go to stderr, not to syslog',
      doc: 'Facility of syslog.',
    },
    log_colors: {
      type: 'string',
      repeatable: true,
      ignored: 'a terminal gets colours by itself',
      doc: 'Colours by level.',
    },
    methods_filter: {
      type: 'int',
      default: -1,
      doc: 'Mask of the methods that xlogm() writes lines for; -1 for all.',
    },
  },
  functions: {
    xlog: { ...levelled, doc: 'Logs a text, at level L_ERR if none is given.' },
    xlogl: { ...levelled, doc: 'As xlog(); the line in the script is a field of every line anyway.' },
    xlogm: { ...levelled, doc: 'As xlog(), for messages of the methods in methods_filter.' },
    xdbg: fixed('L_DBG'),
    xdbgl: fixed('L_DBG'),
    xinfo: fixed('L_INFO'),
    xnotice: fixed('L_NOTICE'),
    xwarn: fixed('L_WARN'),
    xerr: fixed('L_ERR'),
    xcrit: fixed('L_CRIT'),
    xbug: fixed('L_BUG'),
    xalert: fixed('L_ALERT'),
  },
  variables: {
    C: {
      type: 'string',
      inner: 'name',
      doc: 'Colours of a terminal, foreground and background: accepted, and nothing, for a log is data.',
    },
  },
  setup({ log }, { prefix, methods_filter: methodsFilter }) {
    const write = (level: LogLevel, context: RouteContext, format: Format): number => {
      if (log.enabled(level)) {
        writeLine(log, level, context, (context.logPrefix ?? '') + prefix + format(context))
      }
      return 1
    }
    const at = (level: LogLevel) => (context: RouteContext, format: Format) => write(level, context, format)
    const withLevel = (context: RouteContext, first: Format, second?: Format, third?: Format): number => {
      if (second === undefined) return write('error', context, first)
      const name = third === undefined ? first(context) : second(context)
      return write(logLevel(name) ?? 'error', context, third ?? second)
    }
    return {
      functions: {
        xlog: withLevel,
        xlogl: withLevel,
        xlogm: (context, first, second, third) =>
          (context.message.methodMask & methodsFilter) === 0 ? 1 : withLevel(context, first, second, third),
        xdbg: at('debug'),
        xdbgl: at('debug'),
        xinfo: at('info'),
        xnotice: at('info'),
        xwarn: at('warn'),
        xerr: at('error'),
        xcrit: at('fatal'),
        xbug: at('fatal'),
        xalert: at('fatal'),
      },
      variables: { C: { read: () => '' } },
    }
  },
})

/** The text is one event however many lines it has: who prints the log escapes what must not reach a terminal. */
function writeLine(log: Log, level: LogLevel, context: RouteContext, line: string): void {
  log[level](context.logFields(), readable(line.trimEnd()))
}
