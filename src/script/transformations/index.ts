import { addressTransformations } from './address.ts'
import { type Transformations, undefinedStays } from './declare.ts'
import { encodingTransformations } from './encoding.ts'
import { hashTransformations } from './hash.ts'
import { lineTransformations } from './line.ts'
import { nameAddrTransformations, toBodyTransformations } from './name-addr.ts'
import { paramTransformations } from './param.ts'
import { regexTransformations } from './regex.ts'
import { stringTransformations } from './string.ts'
import { uriTransformations } from './uri.ts'
import { urlTransformations } from './url.ts'
import { valueTransformations } from './value.ts'

/**
 * What may stand in braces after a variable's name: `$(ru{uri.host}{s.tolower})`. Keys are `class.name`.
 *
 * Results are those of Kamailio 5.6.3 where it has the transformation (test/script/transformations.test.ts holds
 * what was measured), else those of its cookbook. All work on octets, one character each.
 */
export const transformations: Transformations = keepUndefined({
  ...stringTransformations,
  ...encodingTransformations,
  ...hashTransformations,
  ...uriTransformations,
  ...paramTransformations,
  ...nameAddrTransformations,
  ...toBodyTransformations,
  ...lineTransformations,
  ...addressTransformations,
  ...regexTransformations,
  ...valueTransformations,
  ...urlTransformations,
})

/**
 * An undefined value stays undefined where an empty text has a length, a hash, or a count. All others make '' of
 * both, and `apply` alone is faster.
 */
function keepUndefined(all: Transformations): Transformations {
  const kept: Transformations = { ...all }
  const counting = ['s.len', 's.count', 's.ftime', 's.escape.csv', 'param.in', 'nameaddr.len']
  for (const name of [...counting, ...Object.keys(hashTransformations)]) {
    const declaration = all[name]
    if (declaration !== undefined) kept[name] = undefinedStays(declaration)
  }
  return kept
}
