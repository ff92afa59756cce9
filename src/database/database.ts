/**
 * One small query interface over the databases that Kamailio's modules name by URL. Rows are values by column
 * name; parameters never become part of the SQL text.
 */
export type DatabaseValue = string | number | null

export type Row = Readonly<Record<string, DatabaseValue>>

export interface Database {
  /** `?` stands for a parameter. Rejects with DatabaseError. */
  query(sql: string, parameters?: readonly DatabaseValue[]): Promise<Row[]>
  execute(sql: string, parameters?: readonly DatabaseValue[]): Promise<{ changes: number }>
  /** Only where the engine answers without waiting (sqlite); undefined otherwise. Throws DatabaseError. */
  querySync?(sql: string, parameters?: readonly DatabaseValue[]): Row[]
  close(): Promise<void>
}

export class DatabaseError extends Error {
  override readonly name = 'DatabaseError'
}

/** `sqlite:///path`, `text:///directory` (Kamailio's db_text files). */
export type OpenDatabase = (url: string) => Database
