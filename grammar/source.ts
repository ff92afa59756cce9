/** Where something stands in the script: the file and place that the person wrote, through includes and defines. */
export interface Span {
  readonly file: string
  /** From 0, in characters of that file. */
  readonly start: number
  readonly end: number
  /** From 1. */
  readonly line: number
  /** From 1, in characters. */
  readonly column: number
  /** The define whose text this came from, if it did: `DBURL`. */
  readonly via?: string
}
