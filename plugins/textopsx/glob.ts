/**
 * Shell patterns as fnmatch(3) has them without flags: `*`, `?`, `[a-z]`, `[!x]`, and `\` before a character that
 * stands for itself. Whatever the text, it is walked at most once for each character of the pattern.
 */
export function matchesGlob(text: string, pattern: string): boolean {
  const items = parseGlob(pattern)
  let at = 0
  let item = 0
  let starItem = -1
  let starAt = 0
  while (at < text.length) {
    const current = items[item]
    if (current === '*') {
      starItem = item++
      starAt = at
    } else if (current?.has(text[at] ?? '')) {
      item++
      at++
    } else if (starItem !== -1) {
      item = starItem + 1
      at = ++starAt
    } else {
      return false
    }
  }
  while (items[item] === '*') item++
  return item === items.length
}

interface CharacterSet {
  has(character: string): boolean
}

const anyCharacter: CharacterSet = { has: () => true }

function parseGlob(pattern: string): ('*' | CharacterSet)[] {
  const items: ('*' | CharacterSet)[] = []
  for (let at = 0; at < pattern.length; at++) {
    const character = pattern[at] ?? ''
    const close = character === '[' ? closingBracket(pattern, at) : -1
    if (character === '*') {
      if (items.at(-1) !== '*') items.push('*')
    } else if (character === '?') {
      items.push(anyCharacter)
    } else if (close !== -1) {
      items.push(bracketSet(pattern.slice(at + 1, close)))
      at = close
    } else {
      items.push(new Set([character === '\\' ? (pattern[++at] ?? '\\') : character]))
    }
  }
  return items
}

/** A `]` right after `[` or `[!` stands for itself. */
function closingBracket(pattern: string, open: number): number {
  const first = pattern[open + 1] === '!' || pattern[open + 1] === '^' ? open + 2 : open + 1
  return pattern.indexOf(']', first + 1)
}

function bracketSet(content: string): CharacterSet {
  const isNegated = content[0] === '!' || content[0] === '^'
  const members = isNegated ? content.slice(1) : content
  const ranges: [from: string, to: string][] = []
  for (let at = 0; at < members.length; at++) {
    const from = members[at] ?? ''
    const to = members[at + 2]
    if (members[at + 1] === '-' && to !== undefined) {
      ranges.push([from, to])
      at += 2
    } else {
      ranges.push([from, from])
    }
  }
  return {
    has: (character) => isNegated !== ranges.some(([from, to]) => from <= character && character <= to),
  }
}
