import {
  ArgumentProblem,
  DatabaseError,
  definePlugin,
  parseUri,
  type RouteContext,
  unescapeUser,
} from '../../src/plugin/index.ts'

export default definePlugin({
  name: 'speeddial',
  summary: "Short numbers of users in a table (Kamailio's speeddial).",
  params: {
    db_url: {
      type: 'string',
      doc: 'sqlite:////path/to/file or text:///directory with a table of short numbers.',
    },
    user_column: sqlName('username'),
    domain_column: sqlName('domain'),
    sd_user_column: sqlName('sd_username'),
    sd_domain_column: sqlName('sd_domain'),
    new_uri_column: sqlName('new_uri'),
    use_domain: {
      type: 'int',
      default: 0,
      doc: '1: domains of the owner and of the dialled URI are compared too.',
    },
    domain_prefix: {
      type: 'string',
      default: '',
      doc: 'Taken off the front of domains before they are compared.',
    },
  },
  functions: {
    sd_lookup: {
      in: ['request'],
      args: [
        {
          name: 'table',
          type: 'string',
          prepare: checkTable,
          doc: 'The table of short numbers: speed_dial.',
        },
        {
          name: 'owner',
          type: 'string',
          optional: true,
          doc: 'The URI of whose numbers they are; From if absent.',
        },
      ],
      returns: { 1: 'Found.', '-1': 'There is no such number, or the database failed.' },
      doc: 'If the user of the Request-URI is a short number of the caller, the Request-URI becomes what it stands for.',
    },
  },

  setup(host, params) {
    if (params.db_url === undefined) throw new Error('speeddial needs db_url: sqlite:////path/to/file')
    const database = host.openDatabase(params.db_url)
    const stripped = (domain: string) =>
      params.domain_prefix !== '' && domain.startsWith(params.domain_prefix)
        ? domain.slice(params.domain_prefix.length)
        : domain

    /** Null if there is none. @throws DatabaseError */
    function find(table: string, owner: string, dialled: string): string | null {
      const from = parseUri(owner)
      const to = parseUri(dialled)
      if (from === null || to === null || from.user === null || to.user === null) return null
      const domains =
        params.use_domain === 0
          ? ''
          : ` AND lower("${params.domain_column}") = lower(?) AND lower("${params.sd_domain_column}") = lower(?)`
      const sql =
        `SELECT "${params.new_uri_column}" AS uri FROM "${table}" WHERE "${params.user_column}" = ?` +
        ` AND "${params.sd_user_column}" = ?${domains} LIMIT 1`
      const users = [unescapeUser(from.user), unescapeUser(to.user)]
      const values = params.use_domain === 0 ? users : [...users, stripped(from.host), stripped(to.host)]
      const row = database.querySync?.(sql, values)[0]
      return row === undefined ? null : String(row['uri'] ?? '')
    }

    function lookup(context: RouteContext, table: string, owner?: string): number {
      try {
        const uri = find(table, owner ?? context.message.from?.uri ?? '', context.target.uri)
        if (uri === null || uri === '') return -1
        context.target.uri = uri
        if (context.target.destinationUri === null) context.target.flow = null
        context.requestUriChanged = true
        return 1
      } catch (error) {
        if (!(error instanceof DatabaseError)) throw error
        host.log.error({ ...context.logFields(), err: error }, 'speeddial: the database failed')
        return -1
      }
    }

    return { functions: { sd_lookup: lookup }, close: () => database.close() }
  },
})

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
