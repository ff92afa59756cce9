import type { TransformationDeclaration, Value } from '../../../grammar/declarations.ts'

/**
 * Short forms for the tables of this folder. The compiler hands over texts and numbers as declared; only a parameter
 * that may be left out needs its default. `apply` is otherwise the function of the table itself, so that each place in
 * a script calls exactly one function: through one wrapper for all, V8 could inline none of them.
 */
export type Transformations = Record<string, TransformationDeclaration>

type Parameter = NonNullable<TransformationDeclaration['params']>[number]
type Apply = TransformationDeclaration['apply']

const isOptional = ({ optional }: Parameter): boolean => optional === true

/** `{s.len}` */
export function plain(doc: string, apply: (value: string) => Value): TransformationDeclaration {
  return { doc, apply }
}

/** `{s.replace,a,b}`: `names` are the parameters, all texts; those in brackets may be left out and are then ''. */
export function withTexts(
  doc: string,
  names: readonly string[],
  apply: (value: string, first: string, second: string) => Value,
): TransformationDeclaration {
  const params = names.map((name) => parameter(name, 'string'))
  if (!params.some(isOptional)) return { doc, params, apply: apply as Apply }
  return { doc, params, apply: (value, first, second) => apply(value, textOf(first), textOf(second)) }
}

/** `{s.substr,1,2}`: all parameters are whole numbers; those in brackets may be left out and are then 0. */
export function withNumbers(
  doc: string,
  names: readonly string[],
  apply: (value: string, first: number, second: number) => Value,
): TransformationDeclaration {
  const params = names.map((name) => parameter(name, 'int'))
  if (!params.some(isOptional)) return { doc, params, apply: apply as Apply }
  return { doc, params, apply: (value, first, second) => apply(value, numberOf(first), numberOf(second)) }
}

/** `{s.select,1,/}`: a number, then a text. */
export function withNumberAndText(
  doc: string,
  names: readonly [string, string],
  apply: (value: string, first: number, second: string) => Value,
): TransformationDeclaration {
  const params = [parameter(names[0], 'int'), parameter(names[1], 'string')]
  if (!params.some(isOptional)) return { doc, params, apply: apply as Apply }
  return { doc, params, apply: (value, first, second) => apply(value, numberOf(first), textOf(second)) }
}

/** Undefined stays undefined, where an empty text would yield something: measured on Kamailio 5.6.3. */
export function undefinedStays(declaration: TransformationDeclaration): TransformationDeclaration {
  return { ...declaration, ofNull: null }
}

/** `{param.value,name[,delimiter]}`: the default is taken where the script gives none. */
export const separatorOr = (given: string, usual: string): string => given.charAt(0) || usual

function parameter(name: string, type: 'string' | 'int'): Parameter {
  return name.startsWith('[') ? { name: name.slice(1, -1), type, optional: true } : { name, type }
}

function textOf(given: string | number | undefined): string {
  return given === undefined ? '' : String(given)
}

function numberOf(given: string | number | undefined): number {
  const number = typeof given === 'number' ? given : Number.parseInt(given ?? '', 10)
  return Number.isSafeInteger(number) ? number : 0
}
