import { withoutParamIn } from './headers/params.ts'
import { hostForUri } from './uri-host.ts'
import { readUri, uriParam } from './uri-parse.ts'

/**
 * URIs of which one part changes, all others stay as they were written. Each gives null if the text is no URI that
 * has the part.
 */

/** `user` null or '' removes user and password. The password, and the parameters of a number, stay otherwise. */
export function withUser(text: string, user: string | null): string | null {
  const uri = readUri(text)
  if (uri === null || (uri.host === '' && uri.user === null)) return null
  const { userStart, userEnd, hostStart } = uri.places
  if (uri.host === '') return user === null || user === '' ? null : splice(text, userStart, userEnd, user)
  if (user === null || user === '') return splice(text, userStart, hostStart, '')
  if (userEnd === -1) return splice(text, userStart, userStart, `${user}@`)
  return splice(text, userStart, userEnd, user)
}

export function withPassword(text: string, password: string | null): string | null {
  const uri = readUri(text)
  if (uri === null || uri.user === null || uri.host === '') return null
  const { userEnd, hostStart } = uri.places
  return splice(text, userEnd, hostStart - 1, password === null || password === '' ? '' : `:${password}`)
}

/** `host` as it is to stand there, IPv6 with or without brackets. */
export function withHost(text: string, host: string): string | null {
  const uri = readUri(text)
  if (uri === null || uri.host === '' || host === '') return null
  return splice(text, uri.places.hostStart, uri.places.hostEnd, hostForUri(host))
}

/** 0 removes the port. */
export function withPort(text: string, port: number): string | null {
  const uri = readUri(text)
  if (uri === null || uri.host === '') return null
  return splice(text, uri.places.hostEnd, uri.places.paramsStart, port === 0 ? '' : `:${port}`)
}

export function withHostAndPort(text: string, host: string, port: number): string | null {
  const uri = readUri(text)
  if (uri === null || uri.host === '' || host === '') return null
  const { hostStart, paramsStart } = uri.places
  return splice(text, hostStart, paramsStart, hostForUri(host) + (port === 0 ? '' : `:${port}`))
}

/** All parameters at once, without the leading semicolon; '' removes them. */
export function withParams(text: string, params: string): string | null {
  const uri = readUri(text)
  if (uri === null || (uri.user === null && uri.host === '')) return null
  return splice(text, uri.places.paramsStart, uri.places.paramsEnd, params === '' ? '' : `;${params}`)
}

/** `name=value` or `name` is added after the others. */
export function withParam(text: string, param: string): string | null {
  const uri = readUri(text)
  if (uri === null) return null
  return withParams(text, uri.params === '' ? param : `${uri.params};${param}`)
}

/** The same text if it has no such parameter. */
export function withoutParam(text: string, name: string): string | null {
  const uri = readUri(text)
  if (uri === null) return null
  return uriParam(uri, name) === null ? text : withParams(text, withoutParamIn(uri.params, name))
}

/** Without `?headers`: RFC 3261 §19.1.5 forbids them in a Request-URI. */
export function withoutHeaders(text: string): string | null {
  const uri = readUri(text)
  return uri === null ? null : text.slice(0, uri.places.paramsEnd)
}

/** Another scheme before the same rest. */
export function withScheme(text: string, scheme: string): string | null {
  const end = text.indexOf(':')
  return end < 1 ? null : scheme + text.slice(end)
}

function splice(text: string, start: number, end: number, part: string): string {
  return text.slice(0, start) + part + text.slice(end)
}
