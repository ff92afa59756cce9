import {
  type DatabaseMode,
  type LocationColumn,
  LocationDatabase,
  locationColumns,
  type PluginHost,
} from '../../src/plugin/index.ts'

/** Where db_mode and db_url have bindings kept (docs/decisions/0022-location-sql.md). */
export interface Choice {
  /** In the embedded store, if there is no database. */
  readonly isDurable: boolean
  readonly database: DatabaseChoice | null
}

export interface DatabaseChoice {
  readonly mode: DatabaseMode
  readonly url: string
  /** One table; what it is opened on is closed with `close`. */
  open(): { table(name: string): LocationDatabase; close(): Promise<void> }
}

export type DatabaseParams = {
  readonly db_mode: number | undefined
  readonly db_url: string | undefined
  readonly use_domain: number
  readonly nat_bflag: number
  readonly expires_type: number
  readonly server_id_filter: number
  readonly skip_remote_socket: number
  readonly version_table: number
  readonly fetch_rows: number
} & { readonly [column in ColumnParam]: string }

type ColumnParam = `${Exclude<LocationColumn, 'username'>}_column` | 'user_column'

export function choiceOf(host: PluginHost, params: DatabaseParams): Choice {
  const { db_mode: mode, db_url: url = '' } = params
  if (mode === 0) return { isDurable: false, database: null }
  if (mode === undefined || url === '') return { isDurable: true, database: null }
  if (!/^(db_)?sqlite:/.test(url)) {
    const engine = url.slice(0, url.indexOf(':'))
    host.log.warn(
      { engine },
      `db_url: no location table on ${engine} yet; bindings are in the embedded store`,
    )
    return { isDurable: true, database: null }
  }
  if (mode !== 1 && mode !== 2 && mode !== 3 && mode !== 4) {
    throw new Error(`usrloc: db_mode ${mode}: it is 0, 1, 2, 3 or 4`)
  }
  return {
    isDurable: true,
    database: { mode, url, open: () => opened(host, url, params) },
  }
}

function opened(host: PluginHost, url: string, params: DatabaseParams): ReturnType<DatabaseChoice['open']> {
  const database = host.openDatabase(url)
  const columns = Object.fromEntries(locationColumns.map((name) => [name, params[paramOf(name)]]))
  const table = (name: string) =>
    new LocationDatabase({
      database,
      rows: {
        table: name,
        columns,
        useDomain: params.use_domain !== 0,
        serverId: Number(host.global('server_id')),
        filterServerId: params.server_id_filter !== 0,
        timesAreSeconds: params.expires_type === 1,
        natBranchFlags: params.nat_bflag < 0 ? 0 : 1 << params.nat_bflag,
      },
      clock: host.clock,
      log: host.log,
      checkVersion: params.version_table !== 0,
      fetchRows: params.fetch_rows,
      isOurs: params.skip_remote_socket === 0 ? undefined : (socket) => host.sockets.find(socket) !== null,
    })
  return { table, close: () => database.close() }
}

function paramOf(column: LocationColumn): ColumnParam {
  return column === 'username' ? 'user_column' : `${column}_column`
}
