import type { Value } from '../../../grammar/declarations.ts'
import type { ScriptRun } from '../route-context.ts'
import { parseSelect, readSelect, type Select } from '../selects.ts'
import { builtInVersion } from '../version.ts'
import { type CoreVariable, type CoreVariables, int, oneOf, text } from './variable.ts'

/** The process, the script and its surroundings. */
export const processVariables: CoreVariables = {
  pp: int('Number of the process.', () => process.pid),
  version: {
    type: 'string',
    inner: 'name',
    prepare: oneOf('version', ['num', 'full', 'hash']),
    doc: 'Version whose language the script is written in: num, full, hash.',
    read: (_run, inner) => builtInVersion(String(inner)),
  },
  cfg: {
    type: 'value',
    inner: 'name',
    prepare: oneOf('cfg', ['line', 'name', 'route']),
    doc: 'Where the script is: line, name (the file), route.',
    read: (run, inner) => scriptPlace(run, String(inner)),
  },
  def: byName(
    'Text of a define; null if there is none.',
    (run, name) => run.surroundings.defines.get(name) ?? null,
  ),
  defv: byName('Text of a define without surrounding quotes.', (run, name) => {
    const value = run.surroundings.defines.get(name)
    return value === undefined ? null : value.replace(/^"(.*)"$|^'(.*)'$/, '$1$2')
  }),
  defn: byName('Number that a define stands for.', (run, name) => {
    const value = Number.parseInt(run.surroundings.defines.get(name) ?? '', 10)
    return Number.isNaN(value) ? null : value
  }),
  env: byName('Environment variable; null if it is not set.', (run, name) =>
    run.surroundings.environment(name),
  ),
  envn: byName('Environment variable as a number.', (run, name) => {
    const value = Number.parseInt(run.surroundings.environment(name) ?? '', 10)
    return Number.isNaN(value) ? null : value
  }),
  sel: {
    type: 'value',
    inner: 'name',
    prepare: parseSelect,
    doc: 'A select: cfg_get.group.name, via.host, from.uri.user, ...',
    read: (run, inner) => readSelect(run, inner as Select),
  },
  true: int('1', () => 1),
  false: int('0', () => 0),
  'err.class': int('Class of the last error of a parser or function; null if there was none.', (run) =>
    run.problem === null ? null : run.problem.class,
  ),
  'err.level': int('Severity of the last error.', (run) => run.problem?.level ?? null),
  'err.info': text('What the last error was.', (run) => run.problem?.info ?? null),
  'err.rcode': int('Status code that suits the last error.', (run) => run.problem?.statusCode ?? null),
  'err.rreason': text('Reason phrase that suits the last error.', (run) => run.problem?.reason ?? null),
}

function byName(doc: string, read: (run: ScriptRun, name: string) => Value): CoreVariable {
  return { type: 'value', inner: 'name', doc, read: (run, inner) => read(run, String(inner)) }
}

/** Kamailio calls the unnamed request route DEFAULT_ROUTE. */
function scriptPlace(run: ScriptRun, part: string): Value {
  if (part === 'route') return run.route === '' ? 'DEFAULT_ROUTE' : run.route
  const { place } = run
  if (place === null) return null
  return part === 'line' ? place.line : place.file
}
