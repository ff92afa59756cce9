import {
  ArgumentProblem,
  anyRoute,
  asciiLower,
  type Database,
  definePlugin,
  type ParamDeclaration,
  type ParamValues,
  parseUri,
  type RouteContext,
} from '../../src/plugin/index.ts'

const params = {
  domain: { type: 'string', repeatable: true, doc: 'A domain of ours. May be given several times.' },
  db_url: { type: 'string', doc: 'sqlite:////path/to/file with a table of domains.' },
  domain_table: sqlName('domain'),
  domain_col: sqlName('domain'),
  did_col: sqlName('did'),
  domain_attrs_table: sqlName('domain_attrs'),
  domain_attrs_did_col: sqlName('did'),
  domain_attrs_name_col: sqlName('name'),
  domain_attrs_type_col: sqlName('type'),
  domain_attrs_value_col: sqlName('value'),
  register_myself: {
    type: 'int',
    default: 0,
    doc: '1: `myself` in conditions is true for these domains too.',
  },
  db_mode: {
    type: 'int',
    ignored: 'domains are always kept in memory',
    doc: "Parameter of Kamailio's domain.",
  },
} as const satisfies Record<string, ParamDeclaration>

const isLocal = { 1: 'Yes.', '-1': 'No.' } as const
const domain = { name: 'domain', type: 'string', doc: 'A host name.' } as const

export default definePlugin({
  name: 'domain',
  summary: "Which domains are ours, and their attributes (Kamailio's domain).",
  params,
  functions: {
    is_from_local: { in: anyRoute, returns: isLocal, doc: 'Is the host of From ours?' },
    is_uri_host_local: { in: anyRoute, returns: isLocal, doc: 'Is the host of the Request-URI ours?' },
    is_domain_local: { in: anyRoute, args: [domain], returns: isLocal, doc: 'Is a domain ours?' },
    lookup_domain: {
      in: anyRoute,
      args: [
        domain,
        { name: 'prefix', type: 'string', optional: true, doc: "Put before the attributes' names." },
      ],
      returns: isLocal,
      doc: 'The same; puts its identity into $avp(did) and its attributes into $avps of their names.',
    },
  },
  rpc: {
    'domain.reload': {
      doc: 'Reads the tables again; the old ones stay if that fails.',
      workers: 'every',
    },
    'domain.dump': { doc: 'All domains.' },
  },

  async setup(host, values) {
    const database = values.db_url === undefined ? null : host.openDatabase(values.db_url)
    let domains = await readDomains(database, values)
    const find = (name: string) => domains.get(asciiLower(name))
    if (values.register_myself !== 0) host.sockets.addCheck((name) => find(name) !== undefined)

    const answer = (name: string | undefined) => (name !== undefined && find(name) !== undefined ? 1 : -1)

    function lookup(context: RouteContext, name: string, prefix = ''): number {
      const found = find(name)
      if (found === undefined) return -1
      context.scope.avps.push(`${prefix}did`, found.identity)
      for (const { name: attribute, value } of found.attributes)
        context.scope.avps.push(`${prefix}${attribute}`, value)
      return 1
    }

    return {
      functions: {
        is_from_local: (context) => answer(parseUri(context.message.from?.uri ?? '')?.host),
        is_uri_host_local: (context) => answer(context.requestUri?.host),
        is_domain_local: (_, name) => answer(name),
        lookup_domain: lookup,
      },
      rpc: {
        async 'domain.reload'() {
          domains = await readDomains(database, values)
          return 'Ok. Domain tables reloaded.'
        },
        'domain.dump': () => [...domains].map(([name, { identity }]) => ({ domain: name, did: identity })),
      },
      close: () => database?.close(),
    }
  },
})

interface Domain {
  readonly identity: string
  readonly attributes: readonly { name: string; value: string | number }[]
}

async function readDomains(
  database: Database | null,
  values: ParamValues<typeof params>,
): Promise<ReadonlyMap<string, Domain>> {
  const domains = new Map<string, Domain>()
  for (const name of values.domain) domains.set(asciiLower(name), { identity: name, attributes: [] })
  if (database === null) return domains
  const attributes = await readAttributes(database, values)
  for (const row of await database.query(`SELECT * FROM "${values.domain_table}"`)) {
    const name = String(row[values.domain_col] ?? '')
    const identity = String(row[values.did_col] ?? name)
    domains.set(asciiLower(name), { identity, attributes: attributes.get(identity) ?? [] })
  }
  return domains
}

/** By identity of the domain. Sites without attributes need no table of them. */
async function readAttributes(
  database: Database,
  values: ParamValues<typeof params>,
): Promise<Map<string, { name: string; value: string | number }[]>> {
  const attributes = new Map<string, { name: string; value: string | number }[]>()
  const tables = await database.query('SELECT name FROM sqlite_schema WHERE name = ?', [
    values.domain_attrs_table,
  ])
  if (tables.length === 0) return attributes
  for (const row of await database.query(`SELECT * FROM "${values.domain_attrs_table}"`)) {
    const identity = String(row[values.domain_attrs_did_col] ?? '')
    const text = String(row[values.domain_attrs_value_col] ?? '')
    const isNumber = Number(row[values.domain_attrs_type_col] ?? 2) === 0
    const attribute = {
      name: String(row[values.domain_attrs_name_col] ?? ''),
      value: isNumber ? Number(text) : text,
    }
    attributes.set(identity, [...(attributes.get(identity) ?? []), attribute])
  }
  return attributes
}

function sqlName(name: string) {
  return { type: 'string', default: name, check: checkName, doc: 'A name in the database.' } as const
}

/** Names of tables and columns become part of SQL texts. */
function checkName(value: string | number): void {
  if (!/^[A-Za-z_]\w*$/.test(String(value))) throw new ArgumentProblem(`"${value}" is no name in a database`)
}
