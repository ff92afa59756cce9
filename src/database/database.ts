/**
 * One small query interface over the databases that Kamailio's modules name by URL. Rows are values by column
 * name; parameters never become part of the SQL text.
 */
export type DatabaseValue = string | number | null

export type Row = Readonly<Record<string, DatabaseValue>>

/** Statements that are carried out together, each as often as it is called. */
export interface Batch {
  readonly sql: readonly string[]
  readonly calls: readonly Call[]
}

export interface Call {
  /** Which of `sql`. */
  readonly statement: number
  readonly parameters: readonly DatabaseValue[]
}

export interface Database {
  /** `?` stands for a parameter. Rejects with DatabaseError. */
  query(sql: string, parameters?: readonly DatabaseValue[]): Promise<Row[]>
  execute(sql: string, parameters?: readonly DatabaseValue[]): Promise<{ changes: number }>
  /** Only where the engine answers without waiting (sqlite); undefined otherwise. Throws DatabaseError. */
  querySync?(sql: string, parameters?: readonly DatabaseValue[]): Row[]
  /**
   * All of it or nothing, in one transaction. Where the engine answers on the spot it works beside the event loop, and
   * batches are carried out in the order in which they came. Undefined where an engine cannot. Rejects with DatabaseError.
   */
  commit?(batch: Batch): Promise<void>
  close(): Promise<void>
}

export class DatabaseError extends Error {
  override readonly name = 'DatabaseError'
}

/** `sqlite:///path`, `text:///directory` (Kamailio's db_text files). */
export type OpenDatabase = (url: string) => Database
