import { type ArgumentDeclaration, anyRoute, type FunctionDeclaration } from '../../src/plugin/index.ts'
import { parseItem } from './tables.ts'

const table = { name: 'table', type: 'string', doc: 'The name of a table.' } as const
const tableKey = { name: 'item', type: 'string', prepare: parseItem, doc: '"table=>key"' } as const
const tableRegex = {
  name: 'item',
  type: 'string',
  prepare: parseItem,
  doc: '"table=>regular expression"',
} as const
const key = { name: 'key', type: 'string', doc: 'The name of an entry.' } as const
const operator = { name: 'operator', type: 'string', doc: 're, sw (starts with), ew, in, eq or ne.' } as const
const operand = { name: 'operand', type: 'string', doc: 'What the operator compares with.' } as const
const walk = { name: 'iterator', type: 'string', doc: 'The name of an iterator.' } as const
const seconds = { name: 'seconds', type: 'int', doc: 'Time to live.' } as const
const textValue = { name: 'value', type: 'string', doc: 'The value.' } as const
const numberValue = { name: 'value', type: 'int', doc: 'The value.' } as const

const done = { 1: 'Done.', '-1': 'There is no such table.' } as const
const found = { 1: 'There is one.', '-1': 'There is none.' } as const
const walked = { 1: 'Done.', '-1': 'There is no such iterator, or it stands nowhere.' } as const

function declare<const A extends readonly ArgumentDeclaration[]>(
  args: A,
  returns: FunctionDeclaration['returns'],
  doc: string,
) {
  return { in: anyRoute, args, returns, doc } as const
}

export const tableFunctions = {
  sht_print: declare([], { 1: 'Done.' }, 'Writes all entries into the log, at level info.'),
  sht_rm: declare([table, key], done, 'Removes an entry.'),
  sht_rm_name_re: declare([tableRegex], done, 'Removes entries whose names match.'),
  sht_rm_value_re: declare([tableRegex], done, 'Removes entries whose values are texts that match.'),
  sht_rm_name: declare([table, operator, operand], done, 'Removes entries by their names.'),
  sht_rm_value: declare([table, operator, operand], done, 'Removes entries by their values.'),
  sht_match_name: {
    ...declare([table, operator, operand], found, 'Is there an entry of such a name?'),
    aliases: ['sht_has_name'],
  },
  sht_match_str_value: {
    ...declare([table, operator, operand], found, 'Is there an entry with such a text?'),
    aliases: ['sht_has_str_value'],
  },
  sht_reset: declare([table], done, 'Removes all entries.'),
  sht_is_null: declare(
    [table, key],
    { 1: 'There is no such entry.', '-1': 'There is one.' },
    'Is a key unset?',
  ),
  sht_setxs: declare([table, key, textValue, seconds], done, 'Sets a text with a time to live of its own.'),
  sht_setxi: declare(
    [table, key, numberValue, seconds],
    done,
    'Sets a number with a time to live of its own.',
  ),
  sht_add: {
    ...declare(
      [
        tableKey,
        { name: 'amount', type: 'int', doc: 'What to add; it may be negative.' },
        { name: 'sum', type: 'variable', doc: 'Gets the sum.' },
      ],
      {
        1: 'Added. Of a table that edges share: no other edge gets the same sum.',
        '-1': 'There is no such table, no such number and no initial value, or no room.',
        '-2': 'Redis did not say so in time: added here, and told later; the sum is what is known here.',
      },
      'Adds to a number, among all edges of a shared table: waits for Redis, 250 ms at most. Of other tables it is $shtinc with ' +
        'an amount, but the route that calls it is one that may wait.',
    ),
    waits: true,
  },
  sht_lock: declare(
    [tableKey],
    done,
    'With several workers: one of them at a time, for a tenth of a second at most. With one it does nothing: a message ' +
      'is never interrupted between two statements, unless one of them waits. Other edges are not kept out.',
  ),
  sht_unlock: declare([tableKey], done, 'See sht_lock().'),
  sht_iterator_start: declare([walk, table], done, 'Starts to walk over a table.'),
  sht_iterator_next: declare(
    [walk],
    { 1: 'At the next entry.', '-1': 'There are no more.' },
    'Goes on by one entry.',
  ),
  sht_iterator_end: declare([walk], walked, 'Ends a walk.'),
  sht_iterator_rm: declare([walk], walked, 'Removes the entry that the iterator stands at.'),
  sht_iterator_sets: declare([walk, textValue], walked, 'Gives the entry at the iterator a text.'),
  sht_iterator_seti: declare([walk, numberValue], walked, 'Gives the entry at the iterator a number.'),
  sht_iterator_setex: declare([walk, seconds], walked, 'Gives the entry at the iterator a time to live.'),
} as const satisfies Record<string, FunctionDeclaration>
