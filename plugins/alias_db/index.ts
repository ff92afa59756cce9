import {
  ArgumentProblem,
  createTarget,
  DatabaseError,
  definePlugin,
  parseUri,
  type RouteContext,
  type Row,
  unescapeUser,
} from '../../src/plugin/index.ts'

const table = {
  name: 'table',
  type: 'string',
  prepare: checkTable,
  doc: 'The table of aliases: dbaliases.',
} as const
const flags = {
  name: 'flags',
  type: 'string',
  optional: true,
  doc: 'd: by user alone; u: with the domain; r: from user to alias.',
} as const
const returns = { 1: 'Found.', '-1': 'There is no such alias, or the database failed.' } as const

/** Rows of one alias that are looked at: one destination and the branches besides. */
const rowsMax = 12

export default definePlugin({
  name: 'alias_db',
  summary: "Aliases of users in a table (Kamailio's alias_db).",
  params: {
    db_url: { type: 'string', doc: 'sqlite:////path/to/file or text:///directory with a table of aliases.' },
    user_column: sqlName('username'),
    domain_column: sqlName('domain'),
    alias_user_column: sqlName('alias_username'),
    alias_domain_column: sqlName('alias_domain'),
    use_domain: { type: 'int', default: 0, doc: '1: the domain of the alias is compared too.' },
    domain_prefix: {
      type: 'string',
      default: '',
      doc: 'Taken off the front of domains before they are compared.',
    },
    append_branches: { type: 'int', default: 0, doc: '1: further rows of an alias become branches.' },
  },
  functions: {
    alias_db_lookup: {
      in: ['request', 'failure'],
      args: [table, flags],
      returns,
      doc: 'If the user of the Request-URI is an alias, the Request-URI becomes that of the user behind it.',
    },
    alias_db_find: {
      in: ['request', 'failure', 'branch', 'core-reply', 'reply'],
      args: [
        table,
        { name: 'alias', type: 'string', doc: 'The URI to look up.' },
        { name: 'target', type: 'variable', doc: 'Gets the URI of the user behind it.' },
        flags,
      ],
      returns,
      doc: 'The same for any URI.',
    },
  },

  setup(host, params) {
    if (params.db_url === undefined) throw new Error('alias_db needs db_url: sqlite:////path/to/file')
    const database = host.openDatabase(params.db_url)

    /** URIs behind an alias, first row first. */
    function find(context: RouteContext, from: string, text: string, given = ''): string[] {
      const uri = parseUri(text)
      if (uri === null || uri.user === null || uri.user === '') return []
      const isReverse = given.includes('r')
      const asks = isReverse ? columns.user : columns.alias
      const gives = isReverse ? columns.alias : columns.user
      const withDomain = given.includes('u') || (params.use_domain !== 0 && !given.includes('d'))
      const sql =
        `SELECT "${gives.name}", "${gives.domain}" FROM "${from}" WHERE "${asks.name}" = ?` +
        `${withDomain ? ` AND lower("${asks.domain}") = lower(?)` : ''} LIMIT ${rowsMax}`
      const user = unescapeUser(uri.user)
      try {
        const rows = database.querySync?.(sql, withDomain ? [user, stripped(uri.host)] : [user]) ?? []
        return rows.map((row) => uriOf(row, gives))
      } catch (error) {
        if (!(error instanceof DatabaseError)) throw error
        host.log.error({ ...context.logFields(), err: error }, 'alias_db: the database failed')
        return []
      }
    }

    const columns = {
      user: { name: params.user_column, domain: params.domain_column },
      alias: { name: params.alias_user_column, domain: params.alias_domain_column },
    }
    const stripped = (domain: string) =>
      params.domain_prefix !== '' && domain.startsWith(params.domain_prefix)
        ? domain.slice(params.domain_prefix.length)
        : domain

    return {
      functions: {
        alias_db_lookup(context, from, given) {
          const [first, ...others] = find(context, from, context.target.uri, given)
          if (first === undefined) return -1
          context.explain('alias_db', `${context.target.uri} stands for ${first}`)
          context.target.uri = first
          // The flow of a binding that was looked up before belongs to the old URI.
          if (context.target.destinationUri === null) context.target.flow = null
          context.requestUriChanged = true
          if (params.append_branches !== 0) context.branches.push(...others.map(createTarget))
          return 1
        },
        alias_db_find(context, from, alias, target, given) {
          const [first] = find(context, from, alias, given)
          return first !== undefined && target.write(context, first) ? 1 : -1
        },
      },
      close: () => database.close(),
    }
  },
})

function uriOf(row: Row, names: { name: string; domain: string }): string {
  return `sip:${row[names.name] ?? ''}@${row[names.domain] ?? ''}`
}

function sqlName(name: string) {
  return { type: 'string', default: name, check: checkName, doc: 'A column of the table.' } as const
}

/** Names of tables and columns become part of SQL texts. */
function checkName(value: string | number): void {
  if (!/^[A-Za-z_]\w*$/.test(String(value))) throw new ArgumentProblem(`"${value}" is no name in a database`)
}

function checkTable(text: string): string {
  checkName(text)
  return text
}
