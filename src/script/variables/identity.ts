import { HeaderId } from '../../sip/header-id.ts'
import type { NameAddr } from '../../sip/headers/name-addr.ts'
import type { SipMessage } from '../../sip/message.ts'
import { withHost, withUser } from '../../sip/uri.ts'
import type { ScriptRun } from '../route-context.ts'
import { hostOf } from './request-uri.ts'
import { type CoreVariable, type CoreVariables, orNull, text, toText } from './variable.ts'

/**
 * From and To. A write is an edit of the header, so a later read still shows the old value until
 * msg_apply_changes() (measured on Kamailio 5.6.3).
 */
export const identityVariables: CoreVariables = {
  fu: uriOf('From', HeaderId.from, ['from']),
  fU: userOf('From', HeaderId.from, ['from.user']),
  fd: domainOf('From', HeaderId.from, ['from.domain']),
  fn: displayNameOf('From', HeaderId.from),
  ft: text('Tag of From.', (run) => orNull(run.message.fromTag)),
  fti: text('Tag of From.', (run) => orNull(run.message.fromTag)),
  tu: uriOf('To', HeaderId.to, ['to']),
  tU: userOf('To', HeaderId.to, ['to.user']),
  td: domainOf('To', HeaderId.to, ['to.domain']),
  tn: displayNameOf('To', HeaderId.to),
  tt: text('Tag of To; null if it has none.', (run) => orNull(run.message.toTag)),
  tti: text('Tag of To.', (run) => orNull(run.message.toTag)),
}

type Side = HeaderId

function of(message: SipMessage, side: Side): NameAddr | null {
  return side === HeaderId.from ? message.from : message.to
}

function uriOf(name: string, side: Side, aliases: string[]): CoreVariable {
  return {
    aliases,
    type: 'string',
    assignable: true,
    doc: `URI of ${name}.`,
    read: (run) => of(run.message, side)?.uri ?? null,
    write: (run, value) => value !== null && value !== '' && rewriteUri(run, side, () => toText(value)),
  }
}

function userOf(name: string, side: Side, aliases: string[]): CoreVariable {
  return {
    aliases,
    type: 'string',
    assignable: true,
    doc: `User of the URI of ${name}.`,
    read: side === HeaderId.from ? (run) => run.fromUri?.user ?? null : (run) => run.toUri?.user ?? null,
    write: (run, value) => rewriteUri(run, side, (uri) => withUser(uri, toText(value))),
  }
}

function domainOf(name: string, side: Side, aliases: string[]): CoreVariable {
  return {
    aliases,
    type: 'string',
    assignable: true,
    doc: `Host of the URI of ${name}.`,
    read: side === HeaderId.from ? (run) => hostOf(run.fromUri) : (run) => hostOf(run.toUri),
    write: (run, value) => rewriteUri(run, side, (uri) => withHost(uri, toText(value))),
  }
}

function displayNameOf(name: string, side: Side): CoreVariable {
  return {
    type: 'string',
    assignable: true,
    doc: `Display name of ${name}, quotes included.`,
    read: (run) => orNull(of(run.message, side)?.displayName ?? ''),
    write: (run, value) => rewriteDisplayName(run, side, toText(value)),
  }
}

/** Where the URI stands in the message, and what it becomes. */
function rewriteUri(run: ScriptRun, side: Side, change: (uri: string) => string | null): boolean {
  const { message } = run
  const header = of(message, side)
  const index = message.first(side)
  if (header === null || index < 0) return false
  const changed = change(header.uri)
  if (changed === null) return false
  const start = message.headerValueStart(index) + header.uriStart
  return run.edits.replace(start, start + header.uri.length, changed)
}

function rewriteDisplayName(run: ScriptRun, side: Side, name: string): boolean {
  const { message } = run
  const header = of(message, side)
  const index = message.first(side)
  if (header === null || index < 0) return false
  const start = message.headerValueStart(index)
  const uri = start + header.uriStart
  const hasBrackets = message.text[uri - 1] === '<'
  const prefix = name === '' ? '' : `${name} `
  if (hasBrackets) return run.edits.replace(start, uri - 1, prefix)
  // An addr-spec cannot have a display name: it becomes a name-addr (RFC 3261 §20.10).
  return run.edits.replace(start, uri + header.uri.length, `${prefix}<${header.uri}>`)
}
