import type { Merge } from '../plugin/plugin.ts'

/** Makes one answer of those of several workers (`workers` of an RPC declaration); what does not fit is the first one's. */
export function merged(answers: readonly unknown[], merge: Merge): unknown {
  const [first] = answers
  if (merge === 'any' || merge === 'every') return first
  if (merge === 'concat') return answers.flatMap((answer) => (Array.isArray(answer) ? answer : []))
  if (merge === 'sum') return sum(answers)
  if (!isRecord(first)) return first
  return Object.fromEntries(
    Object.entries(first).map(([name, value]) => {
      const how = Object.hasOwn(merge, name) ? merge[name] : undefined
      return [
        name,
        how === undefined
          ? value
          : merged(
              answers.map((answer) => memberOf(answer, name)),
              how,
            ),
      ]
    }),
  )
}

/** Numbers, and the numbers of objects, whichever members each has. */
function sum(answers: readonly unknown[]): unknown {
  const [first] = answers
  if (typeof first === 'number') {
    return answers.reduce<number>((total, answer) => total + (typeof answer === 'number' ? answer : 0), 0)
  }
  if (!isRecord(first)) return first
  const names = new Set(answers.flatMap((answer) => (isRecord(answer) ? Object.keys(answer) : [])))
  return Object.fromEntries(
    [...names].map((name) => {
      const present = answers.map((answer) => memberOf(answer, name)).filter((value) => value !== undefined)
      return [name, sum(present)]
    }),
  )
}

function memberOf(answer: unknown, name: string): unknown {
  return isRecord(answer) && Object.hasOwn(answer, name) ? answer[name] : undefined
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
