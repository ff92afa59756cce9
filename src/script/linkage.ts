import type { RunContext, VariableImplementation } from '../../grammar/declarations.ts'
import type { FunctionReference, Linkage, Program, RunHost, ScriptFunction } from '../../grammar/program.ts'
import { limits } from '../limits.ts'
import { holds, patternOf } from './conditions.ts'
import { coreFunctions } from './core-functions.ts'
import type { LoadedScript } from './engine.ts'
import { RunAbandoned } from './execute.ts'
import type { RunningPlugin } from './plugins.ts'
import type { ScriptRun } from './route-context.ts'
import type { Surroundings } from './surroundings.ts'
import { coreVariables } from './variables/index.ts'

/** Binds what a program calls and reads to the core and to the plugins that were set up. */
export function createLinkage(
  loaded: LoadedScript,
  plugins: readonly RunningPlugin[],
  surroundings: Surroundings,
): Linkage {
  const { program } = loaded
  const byName = new Map(plugins.map((plugin) => [plugin.name, plugin]))
  return {
    functions: program.functions.map((reference) => bindFunction(reference, byName)),
    variables: bindVariables(program, byName),
    host: createRunHost(loaded, surroundings),
  }
}

function bindFunction(reference: FunctionReference, plugins: Map<string, RunningPlugin>): ScriptFunction {
  const { module, name, waits } = reference
  if (module === '') {
    const declared = coreFunctions[name]
    if (!declared) throw new Error(`the program calls ${name}, which the core does not have`)
    return declared.call as ScriptFunction
  }
  const plugin = plugins.get(module)
  const functions = (plugin?.instance.functions ?? {}) as Record<string, ScriptFunction>
  const implementation = functions[name]
  if (!implementation) throw new Error(`the program calls ${name} of module ${module}, which is not there`)
  return waits ? unlessAbandoned(implementation) : implementation
}

/** A run whose deadline passed while it waited ends as soon as what it waited for is there. */
function unlessAbandoned(implementation: ScriptFunction): ScriptFunction {
  return (context: never, ...args: never[]) => {
    const result = implementation(context, ...args)
    if (typeof result === 'number') return result
    const run: ScriptRun = context
    return result.then((rc) => {
      if (run.isAbandoned) throw new RunAbandoned('given up while it waited')
      return rc
    })
  }
}

function bindVariables(program: Program, plugins: Map<string, RunningPlugin>): VariableImplementation[] {
  return program.variables.map(({ module, name }) => {
    const declared = module === '' ? coreVariables : (plugins.get(module)?.instance.variables ?? {})
    const implementation = (declared as Record<string, VariableImplementation>)[name]
    if (!implementation) throw new Error(`the program reads $${name} of module ${module}, which is not there`)
    return implementation
  })
}

function createRunHost(loaded: LoadedScript, surroundings: Surroundings): RunHost {
  const warn = (context: RunContext, what: string) => {
    surroundings.services.log.warn((context as ScriptRun).logFields(), what)
  }
  return {
    pattern: (context, source, ignoreCase) => patternOf(context as ScriptRun, source, ignoreCase),
    warn,
    condition: (context, subject, operator, operand) =>
      holds(context as ScriptRun, subject, operator, operand),
    unknownRoute(context, name) {
      const fields = (context as ScriptRun).logFields()
      surroundings.services.log.error({ ...fields, route: name }, 'there is no route of that name')
    },
    whileLoopsMax: Number(loaded.global('max_while_loops')),
    routeDepthMax: Number(loaded.global('max_recursive_level')) || limits.routeDepthMax,
    stepsMax: limits.scriptStepsMax,
  }
}
