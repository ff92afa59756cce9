import type { ParamDeclaration } from '../../grammar/declarations.ts'

/**
 * Parameters of a module that scripts may load although it means nothing here (see `ignored` of a plugin): any
 * value is accepted, as often as it is given, and the checker says that it has no effect.
 */
export function acceptedParams<const N extends string>(
  names: readonly N[],
  why: string,
): Readonly<Record<N, ParamDeclaration>> {
  const accepted = { type: 'either', repeatable: true, ignored: why, doc: "Kamailio's parameter." } as const
  return Object.fromEntries(names.map((name) => [name, accepted])) as unknown as Readonly<
    Record<N, ParamDeclaration>
  >
}
