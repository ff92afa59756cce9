import { ArgumentProblem, type MessageScope, type Row } from '../../src/plugin/index.ts'

/** One part of `load_credentials`: which column goes into which $avp. */
export interface LoadedColumn {
  readonly avp: string
  readonly column: string
}

/** `$avp(rpid)=rpid;email_address`: a column alone goes into the $avp of its name. */
export function parseLoadCredentials(text: string): LoadedColumn[] {
  const parts = text.split(/[;|]/).map((part) => part.trim())
  return parts.filter((part) => part !== '').map(parseLoadedColumn)
}

function parseLoadedColumn(part: string): LoadedColumn {
  const match = /^(?:\$?(?:avp\()?(?:s:)?([\w:.-]+?)\)?\s*=\s*)?([A-Za-z_]\w*)$/.exec(part)
  if (match === null) {
    throw new ArgumentProblem(`"${part}" loads no column`, 'write $avp(name)=column, or the name of a column')
  }
  const [, avp, column = ''] = match
  return { avp: avp ?? column, column }
}

export function loadCredentials(scope: MessageScope, row: Row, columns: readonly LoadedColumn[]): void {
  for (const { avp, column } of columns) {
    const value = row[column]
    if (value !== undefined && value !== null) scope.avps.push(avp, value)
  }
}
