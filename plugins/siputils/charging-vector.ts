import { paramOf, type Random, type RouteContext } from '../../src/plugin/index.ts'

/** P-Charging-Vector: RFC 7315 §5.6. */
const name = 'P-Charging-Vector'
const note = 'siputils.charging-vector'

/** `r` removes it, `g` makes one if there is none, `f` makes a new one. */
export function manageChargingVector(context: RouteContext, flags: string, random: Random): number {
  const isThere = chargingVector(context) !== ''
  if (flags === 'r' || flags === 'f') {
    removeReceived(context)
    context.scope.notes.set(note, '')
  }
  if (flags === 'f' || (flags === 'g' && !isThere)) {
    const address = context.flow.socket.advertisedAddress
    const value = `icid-value=${random.hex(16)}; icid-generated-at=${address}`
    context.edits.appendHeader(`${name}: ${value}\r\n`)
    context.scope.notes.set(note, value)
  }
  return 1
}

function removeReceived({ message, edits }: RouteContext): void {
  for (let index = message.find(name); index !== -1; index = message.next(index)) {
    edits.removeHeader(message, index)
  }
}

/** As it stands now: what we made or removed, else what was received; '' if there is none. */
function chargingVector(context: RouteContext): string {
  const made = context.scope.notes.get(note)
  if (typeof made === 'string') return made
  const index = context.message.find(name)
  return index === -1 ? '' : context.message.headerValue(index)
}

/** `$pcv(value)` and the others by the parameter that holds them; null if it is not there. */
export function chargingVectorPart(context: RouteContext, part: string): string | null {
  const value = chargingVector(context)
  if (value === '') return null
  return part === 'all' ? value : paramOf(value, partParams.get(part) ?? part)
}

const partParams: ReadonlyMap<string, string> = new Map([
  ['value', 'icid-value'],
  ['genaddr', 'icid-generated-at'],
  ['orig', 'orig-ioi'],
  ['term', 'term-ioi'],
])

export const chargingVectorParts: ReadonlySet<string> = new Set(['all', ...partParams.keys()])
