import { locationTableVersion } from './location-rows.ts'

/** What makes an empty database with a location table that Kamailio 5.6 takes for one of its own. */
export function locationSchema(table: string): readonly string[] {
  const text = (octets: number) => `VARCHAR(${octets})`
  const columns = [
    'id INTEGER PRIMARY KEY NOT NULL',
    `ruid ${text(64)} NOT NULL DEFAULT ''`,
    `username ${text(64)} NOT NULL DEFAULT ''`,
    `domain ${text(64)}`,
    `contact ${text(512)} NOT NULL DEFAULT ''`,
    `received ${text(128)}`,
    `path ${text(512)}`,
    "expires TIMESTAMP WITHOUT TIME ZONE NOT NULL DEFAULT '2030-05-28 21:32:15'",
    'q REAL NOT NULL DEFAULT 1.0',
    `callid ${text(255)} NOT NULL DEFAULT ''`,
    'cseq INTEGER NOT NULL DEFAULT 1',
    "last_modified TIMESTAMP WITHOUT TIME ZONE NOT NULL DEFAULT '2000-01-01 00:00:01'",
    'flags INTEGER NOT NULL DEFAULT 0',
    'cflags INTEGER NOT NULL DEFAULT 0',
    `user_agent ${text(255)} NOT NULL DEFAULT ''`,
    `socket ${text(64)}`,
    'methods INTEGER',
    `instance ${text(255)}`,
    'reg_id INTEGER NOT NULL DEFAULT 0',
    'server_id INTEGER NOT NULL DEFAULT 0',
    'connection_id INTEGER NOT NULL DEFAULT 0',
    'keepalive INTEGER NOT NULL DEFAULT 0',
    '"partition" INTEGER NOT NULL DEFAULT 0',
  ]
  return [
    `CREATE TABLE version (id INTEGER PRIMARY KEY NOT NULL, table_name ${text(32)} NOT NULL UNIQUE, table_version INTEGER NOT NULL DEFAULT 0)`,
    `CREATE TABLE "${table}" (${columns.join(', ')}, CONSTRAINT ${table}_ruid_idx UNIQUE (ruid))`,
    `CREATE INDEX ${table}_account_contact_idx ON "${table}" (username, domain, contact)`,
    `CREATE INDEX ${table}_expires_idx ON "${table}" (expires)`,
    `CREATE INDEX ${table}_tcpcon_idx ON "${table}" (connection_id)`,
    `CREATE INDEX ${table}_connection_idx ON "${table}" (server_id, connection_id)`,
    `INSERT INTO version (table_name, table_version) VALUES ('version', 1), ('${table}', ${locationTableVersion})`,
  ]
}
