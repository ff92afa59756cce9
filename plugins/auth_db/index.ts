import {
  ArgumentProblem,
  type Database,
  DatabaseError,
  definePlugin,
  type ParamDeclaration,
  type ParamValues,
  type PluginHost,
  parseUri,
  type RouteContext,
  type Row,
  unescapeUser,
} from '../../src/plugin/index.ts'
import {
  AuthCode,
  type AuthExports,
  authReturns,
  type DigestUser,
  type FindSecret,
  type Secret,
} from '../auth/exports.ts'
import type { AuthDbExports } from './exports.ts'
import { KnownUsers } from './known-users.ts'
import { loadCredentials, parseLoadCredentials } from './load-credentials.ts'
import { Subscribers } from './subscribers.ts'
import { UserList } from './users.ts'

const realm = { name: 'realm', type: 'string', doc: 'The protection realm.' } as const
const table = {
  name: 'table',
  type: 'string',
  prepare: checkTable,
  doc: 'The table of subscribers. Users of users_file and user count for every table.',
} as const
const method = {
  name: 'method',
  type: 'string',
  optional: true,
  doc: 'The method that the digest was computed with, if not that of the request.',
} as const

const params = {
  db_url: {
    type: 'string',
    doc: 'sqlite:////path/to/file or text:///directory with a table of subscribers.',
  },
  users_file: { type: 'string', doc: 'A file of users: lines name:password or name:realm:HA1.' },
  user: { type: 'string', repeatable: true, doc: 'One user: "alice:secret". May be given several times.' },
  user_column: column('username', 'User names.'),
  domain_column: column('domain', 'Domains, asked for with use_domain.'),
  password_column: column('ha1', 'Passwords with calculate_ha1, else HA1 digests of MD5.'),
  password_column_2: column('ha1b', 'HA1 digests of MD5 for digest usernames with a domain.'),
  calculate_ha1: { type: 'int', default: 0, doc: '1: password_column holds passwords in clear.' },
  use_domain: {
    type: 'int',
    default: 0,
    doc: "1: the row's domain must be the username's, or else the realm.",
  },
  load_credentials: {
    type: 'string',
    default: '',
    check: (value) => void parseLoadCredentials(String(value)),
    doc: 'Columns for the script: "$avp(rpid)=rpid;email_address".',
  },
  cache_seconds: {
    type: 'int',
    default: 0,
    unit: 's',
    doc: 'How long a row is remembered. 0: every request asks the database, which SQLite answers in microseconds.',
  },
  known_users_table: {
    type: 'string',
    default: 'subscriber',
    check: checkColumn,
    doc: 'The table that other modules are told of: learn_location() learns nobody who has a row there.',
  },
  version_table: ignored('table versions are not compared'),
  use_rpid: ignored('use load_credentials'),
  force_generate_avps: ignored('loaded values are always set anew'),
  default_domain: ignored('the realm stands in for a missing domain'),
} as const satisfies Record<string, ParamDeclaration>

export default definePlugin({
  name: 'auth_db',
  summary:
    "Digest authentication against a table of subscribers, a file, or users named in the script (Kamailio's auth_db).",
  uses: ['auth'],
  params,
  functions: {
    auth_check: {
      in: ['request'],
      args: [
        realm,
        table,
        {
          name: 'flags',
          type: 'int',
          doc: '1: the user must be that of To (REGISTER, PUBLISH) or From. 2: not asked of INVITE, BYE, PRACK, UPDATE, MESSAGE.',
        },
      ],
      returns: { ...authReturns, '-8': "The password was right, but the user is not the message's." },
      doc: 'Authenticates REGISTER by Authorization, everything else by Proxy-Authorization, and checks the identity.',
    },
    www_authenticate: {
      in: ['request'],
      args: [realm, table, method],
      returns: authReturns,
      aliases: ['www_authorize'],
      doc: 'Verifies the Authorization header. Whose message it is, is not asked.',
    },
    proxy_authenticate: {
      in: ['request'],
      args: [realm, table, method],
      returns: authReturns,
      aliases: ['proxy_authorize'],
      doc: 'Verifies the Proxy-Authorization header. Whose message it is, is not asked.',
    },
    is_subscriber: {
      in: ['request', 'failure', 'branch'],
      args: [
        { name: 'uri', type: 'string', doc: 'Whose user is looked up.' },
        table,
        { name: 'flags', type: 'int', doc: '1: the domain too.' },
      ],
      returns: { 1: 'There is such a user.', '-1': 'There is none, or the database failed.' },
      doc: 'Is the user of a URI a subscriber? Loads load_credentials.',
    },
  },

  setup(host, values) {
    const auth = requireAuth(host)
    const users = usersOf(host, values)
    const database = values.db_url === undefined ? null : host.openDatabase(values.db_url)
    const subscribers = database === null ? null : subscribersOf(host, database, values)
    const loaded = parseLoadCredentials(values.load_credentials)
    // A file may be empty: a router that starts out of the box, with nobody who could register yet.
    if (subscribers === null && users.size === 0 && values.users_file === undefined) {
      throw new Error('auth_db knows no users: set db_url (sqlite:////path/to/file), users_file, or user')
    }

    function findRow(context: RouteContext, from: string, user: string, domain: string | null): Row | null {
      const row = subscribers?.find(from, user, domain) ?? null
      if (row !== null) loadCredentials(context.scope, row, loaded)
      return row
    }

    function finder(context: RouteContext, from: string): FindSecret {
      return (user, algorithm): Secret => {
        const listed = users.find(user, algorithm)
        if (listed !== null || subscribers === null) return listed ?? nobody
        try {
          const row = findRow(context, from, user.user, subscribers.domainOf(user))
          return row === null ? nobody : subscribers.secretOf(row, user, algorithm)
        } catch (error) {
          if (error instanceof DatabaseError) return { kind: 'unusable', why: error.message }
          throw error
        }
      }
    }

    const nobody: Secret = { kind: 'unknown-user', stored: values.calculate_ha1 === 0 ? 'ha1' : 'password' }

    function authenticate(
      context: RouteContext,
      header: 'www' | 'proxy',
      name: string,
      from: string,
      as: string,
    ): { code: number; user: DigestUser | null } {
      if (name === '') {
        host.log.error(context.logFields(), 'authentication needs a realm')
        return { code: AuthCode.error, user: null }
      }
      const findSecret = finder(context, from)
      return auth.authenticate(context, { realm: auth.stripRealm(name), header, method: as, findSecret })
    }

    const known = new KnownUsers(users, subscribers, values.known_users_table, host)

    return {
      close: () => database?.close(),
      exports: { hasCredentials: (user) => known.has(user) } satisfies AuthDbExports,
      functions: {
        auth_check(context, name, from, flags) {
          const as = context.message.method
          const result = authenticate(context, as === 'REGISTER' ? 'www' : 'proxy', name, from, as)
          if (result.user === null) return result.code
          const problem = auth.identityProblem(context, result.user, flags, values.use_domain !== 0)
          if (problem === null) return result.code
          auth.reportMismatch(context, 'auth_check flag', flags, problem)
          return AuthCode.userMismatch
        },
        www_authenticate: (context, name, from, as) =>
          authenticate(context, 'www', name, from, as ?? context.message.method).code,
        proxy_authenticate: (context, name, from, as) =>
          authenticate(context, 'proxy', name, from, as ?? context.message.method).code,
        is_subscriber(context, text, from, flags) {
          const uri = parseUri(text)
          if (uri === null || uri.user === null) return -1
          const user = unescapeUser(uri.user)
          const domain = (flags & 1) === 0 ? '' : uri.host
          if (users.has(user, domain)) return 1
          try {
            return findRow(context, from, user, domain === '' ? null : domain) === null ? -1 : 1
          } catch (error) {
            host.log.error({ ...context.logFields(), err: error }, 'is_subscriber: the database failed')
            return -1
          }
        },
      },
    }
  },
})

function column(name: string, doc: string) {
  return { type: 'string', default: name, check: checkColumn, doc } as const
}

function ignored(why: string) {
  return { type: 'either', ignored: why, doc: "Parameter of Kamailio's auth_db." } as const
}

/** Names of columns and tables become part of SQL texts. */
function checkColumn(value: string | number): void {
  if (!/^[A-Za-z_]\w*$/.test(String(value))) throw new ArgumentProblem(`"${value}" is no name of a column`)
}

function checkTable(text: string): string {
  if (!/^[A-Za-z_]\w*$/.test(text)) throw new ArgumentProblem(`"${text}" is no name of a table`)
  return text
}

function requireAuth(host: PluginHost): AuthExports {
  const auth = host.exportsOf<AuthExports>('auth')
  if (auth === undefined) throw new Error('auth_db needs module auth: loadmodule "auth.so"')
  return auth
}

function usersOf(host: PluginHost, values: ParamValues<typeof params>): UserList {
  const users = new UserList()
  for (const line of values.user) users.add(line)
  if (values.users_file !== undefined) users.addFile(host.resolvePath(values.users_file))
  return users
}

function subscribersOf(
  host: PluginHost,
  database: Database,
  values: ParamValues<typeof params>,
): Subscribers {
  const columns = {
    user: values.user_column,
    domain: values.domain_column,
    password: values.password_column,
    passwordWithDomain: values.password_column_2,
    isPlain: values.calculate_ha1 !== 0,
    useDomain: values.use_domain !== 0,
  }
  return new Subscribers(database, columns, host.clock, values.cache_seconds)
}
