import { compiler } from '../../grammar/compile.ts'
import { type Diagnostic, diagnosticJson, renderDiagnostic } from '../../grammar/diagnostics.ts'
import { loadScript } from '../script/engine.ts'
import { readScript } from './script-file.ts'

/** `viaduct check`: the loader without the running. What it accepts, `viaduct run` starts. */
export interface CheckOptions {
  readonly json?: boolean
  readonly define?: ReadonlyMap<string, string>
  readonly plugins?: readonly string[]
  readonly environment: Readonly<Record<string, string | undefined>>
}

/** Resolves with the exit code: 1 if any script has an error. */
export async function check(paths: readonly string[], options: CheckOptions): Promise<number> {
  const all: Diagnostic[] = []
  for (const path of paths) {
    const { diagnostics } = await loadScript({
      path,
      compiler,
      environment: (name) => options.environment[name] ?? null,
      ...(options.define && { defines: options.define }),
      ...(options.plugins && { pluginDirectories: options.plugins }),
    })
    all.push(...diagnostics)
    if (options.json !== true) report(path, diagnostics)
  }
  if (options.json === true) {
    process.stdout.write(`${JSON.stringify({ diagnostics: all.map(diagnosticJson) }, null, 2)}\n`)
  }
  return all.some(({ severity }) => severity === 'error') ? 1 : 0
}

function report(path: string, diagnostics: readonly Diagnostic[]): void {
  const colour = process.stdout.isTTY === true
  for (const diagnostic of diagnostics) {
    process.stdout.write(`${renderDiagnostic(diagnostic, readScript, { colour })}\n`)
  }
  const counts = (['error', 'warning', 'note'] as const)
    .map(
      (severity) =>
        [diagnostics.filter((diagnostic) => diagnostic.severity === severity).length, severity] as const,
    )
    .filter(([count]) => count > 0)
    .map(([count, severity]) => `${count} ${severity}${count === 1 ? '' : 's'}`)
  process.stdout.write(`${path}: ${counts.join(', ') || 'clean'}\n`)
}
