import { parseVariable, type VariableProblem, type VariableText } from './pseudo-variable.ts'

/**
 * Format strings: text with pseudo-variables, `"from $fu via $(hdr(Via)[0])"`. `$$` is a dollar sign; `%` means
 * nothing. Kamailio refuses a `$` that no name follows, and so do we.
 */
export type FormatPart = string | VariableText

/**
 * @param isVariable tells whether a name is declared: of `$rU.example` only `rU` is, and the rest is text
 * @param isLenient a `$` that no name follows stands for itself: `{re.subst,/(.*)$/\1/}`
 */
export function parseFormat(
  source: string,
  isVariable: (name: string) => boolean,
  isLenient = false,
): readonly FormatPart[] | VariableProblem {
  const parts: FormatPart[] = []
  let text = ''
  let at = 0
  while (at < source.length) {
    const dollar = source.indexOf('$', at)
    if (dollar === -1) break
    text += source.slice(at, dollar)
    if (source[dollar + 1] === '$') {
      text += '$'
      at = dollar + 2
      continue
    }
    const variable = parseVariable(source, dollar)
    if ('problem' in variable) {
      if (!isLenient) return variable
      text += '$'
      at = dollar + 1
      continue
    }
    if (text !== '') parts.push(text)
    text = ''
    const known = withKnownName(variable, isVariable)
    parts.push(known)
    at = dollar + known.text.length
  }
  text += source.slice(at)
  if (text !== '') parts.push(text)
  return parts
}

/** True if the text has no pseudo-variable and no `$$`: it stands for itself. */
export function isConstantText(source: string): boolean {
  return !source.includes('$')
}

/** `$rU.example` where `rU.example` is no variable but `rU` is one: the variable ends before the dot. */
function withKnownName(variable: VariableText, isVariable: (name: string) => boolean): VariableText {
  if (!variable.name.includes('.') || variable.text[1] === '(' || isVariable(variable.name)) return variable
  const name = longestKnownPrefix(variable.name, isVariable)
  if (name === undefined) return variable
  return { ...variable, name, inner: null, text: `$${name}` }
}

function longestKnownPrefix(name: string, isVariable: (name: string) => boolean): string | undefined {
  for (let dot = name.lastIndexOf('.'); dot > 0; dot = name.lastIndexOf('.', dot - 1)) {
    const prefix = name.slice(0, dot)
    if (isVariable(prefix)) return prefix
  }
  return undefined
}
