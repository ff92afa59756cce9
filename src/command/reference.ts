import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import type {
  FunctionDeclaration,
  GlobalDeclaration,
  ParamDeclaration,
  TransformationDeclaration,
  VariableDeclaration,
  WaitsIfSet,
} from '../../grammar/declarations.ts'
import { diagnosticCodes } from '../../grammar/diagnostic-codes.ts'
import type { PluginDefinition, RpcDeclaration } from '../plugin/plugin.ts'
import { builtInPlugins } from '../plugin/registry.ts'
import { coreDeclarations } from '../script/core.ts'

/**
 * `viaduct reference`: the pages of docs/reference, from the declarations that the compiler itself reads, so that
 * they cannot tell another story than the program. A test and `npm run check` compare them (`--verify`).
 */
export async function reference(options: { verify?: boolean }): Promise<number> {
  const pages = await referencePages()
  const directory = fileURLToPath(new URL('../../docs/reference/', import.meta.url))
  if (options.verify === true) return verify(pages, directory)
  rmSync(directory, { recursive: true, force: true })
  mkdirSync(directory, { recursive: true })
  for (const [name, text] of pages) writeFileSync(`${directory}${name}`, text)
  process.stdout.write(`wrote ${pages.size} pages to docs/reference\n`)
  return 0
}

/** File name to Markdown. */
export async function referencePages(): Promise<Map<string, string>> {
  const registry = builtInPlugins()
  const plugins = await Promise.all(registry.names.map((name) => registry.load(name)))
  const pages = new Map<string, string>()
  pages.set('README.md', indexPage(plugins))
  pages.set('core.md', corePage())
  pages.set('diagnostics.md', diagnosticsPage())
  for (const plugin of plugins) pages.set(`${plugin.name}.md`, pluginPage(plugin))
  return pages
}

function verify(pages: ReadonlyMap<string, string>, directory: string): number {
  const present = existsSync(directory) ? readdirSync(directory) : []
  const stale = [...pages].filter(
    ([name, text]) => !present.includes(name) || readFileSync(`${directory}${name}`, 'utf8') !== text,
  )
  const surplus = present.filter((name) => !pages.has(name))
  for (const name of [...stale.map(([name]) => name), ...surplus]) {
    process.stderr.write(`docs/reference/${name} is not what the declarations say: npm run reference\n`)
  }
  return stale.length + surplus.length === 0 ? 0 : 1
}

function indexPage(plugins: readonly PluginDefinition[]): string {
  const lines = ['# Reference', '', generated, '']
  lines.push('- [The core](core.md): globals, functions, variables, transformations, event routes')
  lines.push('- [Diagnostics](diagnostics.md): what the compiler may say, and what it means', '')
  lines.push('| module | what it does |', '| --- | --- |')
  for (const plugin of plugins)
    lines.push(`| [${plugin.name}](${plugin.name}.md) | ${cell(plugin.summary)} |`)
  return `${lines.join('\n')}\n`
}

function corePage(): string {
  const core = coreDeclarations
  return page('The core', 'What a script may use without loading a module.', [
    globalsSection(core.globals),
    functionsSection(core.functions),
    variablesSection(core.variables),
    transformationsSection(core.transformations),
    eventsSection(core.events),
  ])
}

function pluginPage(plugin: PluginDefinition): string {
  const about = [plugin.summary]
  if (plugin.ignored !== undefined) about.push(`Accepted without effect: ${plugin.ignored}`)
  if ((plugin.uses ?? []).length > 0)
    about.push(`Needs: ${(plugin.uses ?? []).map((name) => `[${name}](${name}.md)`).join(', ')}.`)
  return page(`Module ${plugin.name}`, about.join('\n\n'), [
    paramsSection(plugin.params ?? {}),
    functionsSection(plugin.functions ?? {}),
    variablesSection(plugin.variables ?? {}),
    transformationsSection(plugin.transformations ?? {}),
    eventsSection(plugin.events ?? {}),
    rpcSection(plugin.rpc ?? {}),
    metricsSection(plugin.metrics ?? {}),
  ])
}

function diagnosticsPage(): string {
  const rows = Object.entries(diagnosticCodes).map(([code, meaning]) => `| \`${code}\` | ${cell(meaning)} |`)
  return page(
    'Diagnostics',
    'Each has a place, a cause, and mostly a hint. `viaduct check --json` gives them to machines.',
    [['| code | meaning |', '| --- | --- |', ...rows].join('\n')],
  )
}

const generated = '<!-- Written by `npm run reference` from the declarations. Do not edit. -->'

function page(title: string, about: string, sections: readonly string[]): string {
  return `${[`# ${title}`, generated, about, ...sections.filter((section) => section !== '')].join('\n\n')}\n`
}

function globalsSection(globals: Readonly<Record<string, GlobalDeclaration>>): string {
  const rows = sorted(globals).map(
    ([name, { type, default: byDefault, unit, aliases = [], ignored, doc }]) =>
      `| \`${[name, ...aliases].join('`, `')}\` | ${type} | ${defaultOf(byDefault, unit)} | ${cell(ignoredNote(doc, ignored))} |`,
  )
  return table('Global parameters', ['name', 'type', 'default', 'meaning'], rows)
}

function paramsSection(params: Readonly<Record<string, ParamDeclaration>>): string {
  const rows = sorted(params).map(
    ([name, { type, default: byDefault, unit, repeatable, ignored, doc }]) =>
      `| \`${name}\` | ${type}${repeatable ? ', repeatable' : ''} | ${defaultOf(byDefault, unit)} | ${cell(ignoredNote(doc, ignored))} |`,
  )
  return table('Parameters', ['name', 'type', 'default', 'meaning'], rows)
}

function functionsSection(functions: Readonly<Record<string, FunctionDeclaration>>): string {
  if (Object.keys(functions).length === 0) return ''
  const parts = ['## Functions']
  for (const [name, declaration] of sorted(functions)) {
    parts.push(`### ${signature(name, declaration)}`)
    parts.push(declaration.doc)
    const facts = [`Routes: ${declaration.in.join(', ')}.`]
    if (declaration.aliases?.length)
      facts.push(`Also: ${declaration.aliases.map((alias) => `\`${alias}\``).join(', ')}.`)
    if (declaration.waits) facts.push(whenItWaits(declaration.waits))
    parts.push(facts.join(' '))
    const args = (declaration.args ?? []).map(
      ({ name: argument, type, optional, doc }) =>
        `| \`${argument}\` | ${type}${optional ? ', optional' : ''} | ${cell(doc)} |`,
    )
    if (args.length > 0)
      parts.push(['| argument | type | meaning |', '| --- | --- | --- |', ...args].join('\n'))
    const codes = Object.entries(declaration.returns).map(
      ([code, meaning]) => `| ${code} | ${cell(meaning)} |`,
    )
    if (codes.length > 0) parts.push(['| returns | when |', '| --- | --- |', ...codes].join('\n'))
  }
  return parts.join('\n\n')
}

function whenItWaits(waits: true | WaitsIfSet): string {
  const condition = waits === true ? '' : ` if \`${waits.param}\` of module ${waits.module} is set`
  return `Waits${condition}: the message is suspended meanwhile, the router is not.`
}

function variablesSection(variables: Readonly<Record<string, VariableDeclaration>>): string {
  const rows = sorted(variables).map(
    ([name, { aliases = [], inner = 'none', innerOptional, indexed, assignable, type, doc }]) => {
      const shape = inner === 'none' ? '' : innerOptional ? '[(…)]' : '(…)'
      const names = [name, ...aliases].map((each) => `\`$${each}${shape}\``).join(', ')
      const access = assignable ? 'read, write' : 'read'
      return `| ${names} | ${type} | ${access}${indexed ? ', [n]' : ''} | ${cell(doc)} |`
    },
  )
  return table('Variables', ['name', 'type', 'access', 'meaning'], rows)
}

function transformationsSection(
  transformations: Readonly<Record<string, TransformationDeclaration>>,
): string {
  const rows = sorted(transformations).map(([name, { params = [], doc }]) => {
    const shown = params.map(({ name: param, optional }) => (optional ? `[,${param}]` : `,${param}`)).join('')
    return `| \`{${name}${shown}}\` | ${cell(doc)} |`
  })
  return table('Transformations', ['name', 'result'], rows)
}

function eventsSection(events: Readonly<Record<string, { readonly doc: string }>>): string {
  return table('Event routes', ['name', 'runs when'], docRows(events))
}

function rpcSection(rpc: Readonly<Record<string, RpcDeclaration>>): string {
  const rows = sorted(rpc).map(([name, { params = [], doc }]) => {
    const shown = params.map((param) => (param.optional ? `[${param.name}]` : param.name)).join(' ')
    return `| \`${name}${shown === '' ? '' : ` ${shown}`}\` | ${cell(doc)} |`
  })
  return table('RPC methods', ['method', 'answers'], rows)
}

function metricsSection(metrics: Readonly<Record<string, { readonly doc: string }>>): string {
  return table('Metrics', ['name', 'counts'], docRows(metrics))
}

function docRows(entries: Readonly<Record<string, { readonly doc: string }>>): string[] {
  return sorted(entries).map(([name, { doc }]) => `| \`${name}\` | ${cell(doc)} |`)
}

function table(title: string, head: readonly string[], rows: readonly string[]): string {
  if (rows.length === 0) return ''
  return [
    `## ${title}`,
    '',
    `| ${head.join(' | ')} |`,
    `| ${head.map(() => '---').join(' | ')} |`,
    ...rows,
  ].join('\n')
}

function signature(name: string, { args = [] }: FunctionDeclaration): string {
  const shown = args.map(({ name: argument, optional }) => (optional ? `[${argument}]` : argument))
  return `${name}(${shown.join(', ')})`
}

function defaultOf(value: string | number | undefined, unit: string | undefined): string {
  if (value === undefined) return ''
  return cell(`${value === '' ? '""' : value}${unit === undefined ? '' : ` ${unit}`}`)
}

function ignoredNote(doc: string, ignored: string | undefined): string {
  return ignored === undefined ? doc : `${doc} Accepted without effect: ${ignored}`
}

function cell(text: string): string {
  return text.replace(/\s+/g, ' ').replaceAll('|', '\\|')
}

function sorted<T>(entries: Readonly<Record<string, T>>): [string, T][] {
  return Object.entries(entries).sort(([a], [b]) => (a < b ? -1 : 1))
}
