import type { CstNode, IRecognitionException } from 'chevrotain'
import type { LoadModule, Script } from './ast.ts'
import { balanceBrackets } from './brackets.ts'
import { buildAst } from './build-ast.ts'
import { unquote } from './defines.ts'
import type { Diagnostic } from './diagnostics.ts'
import { expandLoadTimeVariables } from './load-time-variables.ts'
import { moduleName } from './module-name.ts'
import { parseTokens } from './parser.ts'
import { type Preprocessed, preprocess } from './preprocess.ts'
import type { CompileHost, ModuleRequest } from './program.ts'
import { inReadingOrder, Report } from './report.ts'
import { reportSyntaxErrors, spoiltStatements } from './syntax-errors.ts'
import type { ScriptToken } from './tokens.ts'

/**
 * The front end: from a file to the AST.
 *
 *     preprocess (files, directives, defines) -> tokens -> brackets -> parser (a tree) -> build-ast (the AST)
 *
 * It never fails: what cannot be understood is missing in the AST and has a diagnostic.
 */
export interface ParsedFile {
  readonly script: Script
  /** In the order of the places they are about, as far as they have one. */
  readonly diagnostics: readonly Diagnostic[]
  /** The `loadmodule` lines, in order. */
  readonly modules: readonly ModuleRequest[]
  /** As they are at the end of the script: `$def(NAME)` reads them. */
  readonly defines: ReadonlyMap<string, string>
  /** Every file that was read. */
  readonly files: readonly string[]
}

export function parseFile(path: string, host: CompileHost): ParsedFile {
  const report = new Report()
  const preprocessed = preprocess(path, host, report)
  const tokens = balanceBrackets(preprocessed.tokens, report)
  const { tree, errors } = parseTokens(tokens)
  reportSyntaxErrors(errors, tokens, report)
  const script = buildUnspoilt(tree, tokens, errors, report)
  const modules = findModules(script, preprocessed, host, report)
  return {
    script,
    diagnostics: inReadingOrder(report.diagnostics, preprocessed.files),
    modules,
    defines: preprocessed.defines,
    files: preprocessed.files,
  }
}

/** What build-ast finds in a statement that has a syntax error is an echo of it. */
function buildUnspoilt(
  tree: CstNode,
  tokens: readonly ScriptToken[],
  errors: readonly IRecognitionException[],
  report: Report,
): Script {
  const found = new Report()
  const script = buildAst(tree, tokens, found)
  const isSpoilt = spoiltStatements(errors, tokens)
  for (const { severity, code, message, span, hint } of found.diagnostics)
    if (span === null || !isSpoilt(span)) report[severity](code, message, span, hint)
  return script
}

function findModules(
  script: Script,
  { defines }: Preprocessed,
  host: CompileHost,
  report: Report,
): ModuleRequest[] {
  const requests = new Map<string, ModuleRequest>()
  for (const item of script.items) {
    if (item.type !== 'loadmodule') continue
    const text = item.evaluated ? evaluateName(item, defines, host, report) : item.text
    const name = moduleName(text)
    const first = requests.get(name)
    if (first === undefined) requests.set(name, { text, name, file: item.span.file, span: item.span })
    else
      report.error(
        'syntax/duplicate-module',
        `module ${name} is loaded already`,
        item.span,
        `the first time at ${first.span.file}:${first.span.line}; #!ifndef MOD_${name} asks for it`,
      )
  }
  return [...requests.values()]
}

/** loadmodulex: pseudo-variables in the name, of which only those of load time have a value. */
function evaluateName(
  item: LoadModule,
  defines: ReadonlyMap<string, string>,
  host: CompileHost,
  report: Report,
): string {
  const { text, unknown } = expandLoadTimeVariables(item.text, {
    environment: (name) => host.environment(name),
    define: (name) => unquoted(defines.get(name)),
  })
  for (const variable of unknown)
    report.error(
      'preprocessor/no-value-yet',
      `${variable} has no value while the script is loaded`,
      item.span,
      '$env(NAME) and $def(NAME) have one',
    )
  return text
}

function unquoted(text: string | undefined): string | null {
  return text === undefined ? null : unquote(text)
}
