import { DatabaseError } from '../../src/plugin/index.ts'

/**
 * A location table that is asked in its database each time (usrloc's db_mode 3) may not answer: the function says what it
 * documents for an error, and the script goes on. Usrloc has logged it.
 */
export function unlessUnavailable<R>(look: () => R, unavailable: R): R {
  try {
    return look()
  } catch (error) {
    if (error instanceof DatabaseError) return unavailable
    throw error
  }
}
