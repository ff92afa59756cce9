/**
 * Every bound of the front end, with its unit and its reason. They live here and not in src/limits.ts because the
 * grammar knows nothing but itself and Chevrotain. A script is written by the operator, not by a peer, but a slip
 * in a define must end in a diagnostic, not in an exhausted machine.
 */
export const bounds = {
  /** Names that a script may define, Kamailio's own bound. */
  definesMax: 512,
  /** Nested #!ifdef, Kamailio's own bound. */
  conditionsMax: 512,
  /** Files inside files, Kamailio's own bound; it also ends a file that includes itself. */
  includeDepthMax: 10,
  /** Files in all: ten levels of includes that include twice would otherwise be a thousand and more. */
  filesMax: 1_000,
  /** Defines inside defines. Real scripts use two or three. */
  expansionDepthMax: 32,
  /**
   * Tokens of a whole script after expansion: the stock script has 1,100, with everything enabled 2,000; and
   * defines that use others twice double each time.
   */
  tokensMax: 250_000,
  /** Characters of one string or pseudo-variable after substitutions: `#!subst "/a/aa/g"` may stand many times. */
  substitutedCharactersMax: 262_144,
  /** Characters of the expression of a #!subst: engines refuse longer ones in their own ways. */
  substitutionCharactersMax: 4_096,
  /** Blocks, parentheses and unbraced statements inside each other: the parser recurses on them. */
  nestingMax: 100,
  /** Operators of one expression and links of one else-if chain: what works on the tree recurses on them. */
  chainMax: 1_000,
  /** Diagnostics that are kept; a file of another language would give one per line. */
  diagnosticsMax: 200,
} as const
