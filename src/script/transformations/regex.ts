import { LRUCache } from 'lru-cache'
import { ArgumentProblem } from '../../../grammar/declarations.ts'
import { limits } from '../../limits.ts'
import { compilePattern } from '../../text/pattern.ts'
import { parseSubstitution, type Substitution } from '../../text/substitution.ts'
import { type Transformations, withTexts } from './declare.ts'

/** Class `re`: `{re.subst,/^sip:(.*)@(.*)/\1/}`. Without a match the value stays as it is; undefined for a bad expression. */
export const regexTransformations: Transformations = {
  're.subst': withTexts('Substitution as sed writes it.', ['expression'], (value, expression) => {
    const substitution = substitutionOf(expression)
    return substitution === null ? null : (substitution.apply(value) ?? value)
  }),
}

/** Pseudo-variables in an expression are values by now, so that it may be another one for every message. */
const known = new LRUCache<string, { substitution: Substitution | null }>({ max: limits.dynamicPatternsMax })

function substitutionOf(expression: string): Substitution | null {
  let entry = known.get(expression)
  if (entry === undefined) {
    entry = { substitution: parsed(expression) }
    known.set(expression, entry)
  }
  return entry.substitution
}

function parsed(expression: string): Substitution | null {
  try {
    return parseSubstitution(expression, (source, { ignoreCase }) =>
      compilePattern(source, { ignoreCase, isTrusted: false }),
    )
  } catch (error) {
    if (error instanceof ArgumentProblem) return null
    throw error
  }
}
