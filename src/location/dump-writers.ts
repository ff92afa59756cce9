import { fieldsOfBinding } from './list-formats.ts'
import type { ListedBinding } from './listed-binding.ts'

/** Location tables as text, a piece for each address-of-record, one character an octet. */
export interface DumpWriter {
  begin(): string
  /** All bindings of one address-of-record. */
  aor(bindings: readonly ListedBinding[], now: number): string
  end(): string
}

/** Columns of a CSV file: the words of ul.dump, and Expires as seconds since 1970. */
export const csvColumns = [
  'aor',
  'Address',
  'Expires',
  'Q',
  'Call-ID',
  'CSeq',
  'User-Agent',
  'Received',
  'Path',
  'Flags',
  'CFlags',
  'Socket',
  'Methods',
  'Ruid',
  'Instance',
  'Reg-Id',
  'Last-Modified',
  'Origin',
  'Trust',
  'By',
  'Flow',
] as const

export function csvWriter(): DumpWriter {
  return {
    begin: () => `${csvColumns.join(',')}\n`,
    aor: (bindings, now) => bindings.map((binding) => csvLine(binding, now)).join(''),
    end: () => '',
  }
}

/** The answer to ul.dump over JSON-RPC, as Kamailio gives it; one address-of-record a line. */
export function jsonWriter(table: string): DumpWriter {
  let aors = 0
  let most = 0
  return {
    begin: () =>
      `{"jsonrpc":"2.0","result":{"Domains":[{"Domain":{"Domain":${JSON.stringify(table)},"Size":1024,"AoRs":[\n`,
    aor(bindings, now) {
      const [first] = bindings
      if (first === undefined) return ''
      most = Math.max(most, bindings.length)
      const contacts = bindings.map((binding) => ({ Contact: fieldsOfBinding(binding, now) }))
      const info = { Info: { AoR: first.aor, HashID: 0, Contacts: contacts } }
      return `${aors++ === 0 ? '' : ',\n'}${JSON.stringify(info)}`
    },
    end: () => `\n],"Stats":{"Records":${aors},"Max-Slots":${most}}}}]},"id":1}\n`,
  }
}

function csvLine(binding: ListedBinding, now: number): string {
  const fields: Record<string, string | number> = {
    ...fieldsOfBinding(binding, now),
    aor: binding.aor,
    Expires: Number.isFinite(binding.expires) ? binding.expires / 1000 : 'permanent',
    'Last-Modified': binding.modified / 1000,
  }
  const cells = csvColumns.map((name) => cell(fields[name] === '[not set]' ? '' : String(fields[name] ?? '')))
  return `${cells.join(',')}\n`
}

function cell(text: string): string {
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text
}
