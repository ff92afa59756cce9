import {
  type ArgumentDeclaration,
  asciiLower,
  definePlugin,
  type RouteContext,
} from '../../src/plugin/index.ts'
import { type CheckSettings, Checks, type Refusal } from './checks.ts'

/** Kamailio's sanity module: the first check that fails answers the request itself. */
const mask = {
  name: 'checks',
  type: 'int',
  optional: true,
  doc: 'Sum of the checks to run; the parameter default_checks if it is not given.',
} as const satisfies ArgumentDeclaration
const uris = {
  name: 'uri_checks',
  type: 'int',
  optional: true,
  doc: '1 Request-URI, 2 From, 4 To, 8 Contact; the parameter uri_checks if it is not given.',
} as const satisfies ArgumentDeclaration

export default definePlugin({
  name: 'sanity',
  summary: 'Checks requests against RFC 3261 and answers those that fail.',
  params: {
    default_checks: {
      type: 'int',
      default: 3047,
      doc:
        'Sum of 1 SIP version, 2 URI scheme, 4 required headers, 32 CSeq method, 64 CSeq number, ' +
        '128 Content-Length, 256 Expires, 512 Proxy-Require, 1024 URIs, 2048 digest credentials, 4096 tags, ' +
        '8192 Authorization, 16384 first Via, 32768 magic cookie.',
    },
    uri_checks: { type: 'int', default: 7, doc: 'Which URIs check 1024 looks at.' },
    proxy_require: { type: 'string', default: '', doc: 'Option tags that Proxy-Require may name.' },
    autodrop: { type: 'int', default: 1, doc: '1: a failed check ends the script; 0: it returns -1.' },
    noreply: { type: 'int', default: 0, doc: '1: nothing is sent; sanity_reply() does it.' },
  },
  functions: {
    sanity_check: {
      in: ['request', 'core-reply', 'reply', 'failure', 'event'],
      args: [mask, uris],
      returns: {
        1: 'all checks passed',
        '-1': 'one failed; the answer has been sent unless noreply is set',
        0: 'the same with autodrop: the script ends',
      },
      doc: 'Checks the message. Responses and ACKs are never answered.',
    },
    sanity_reply: {
      in: ['request', 'failure'],
      returns: { 1: 'sent', '-1': 'no check failed, or the answer could not be sent' },
      doc: 'Sends what the last failed check would have sent, if noreply is set.',
    },
  },
  setup(_host, params) {
    const proxyRequire = new Set(
      params.proxy_require
        .split(',')
        .map((tag) => asciiLower(tag.trim()))
        .filter((tag) => tag !== ''),
    )
    // A script names few masks: by mask, and by URI checks.
    const checksByMask = new Map<number, Checks>()
    const settingsByUris = new Map<number, CheckSettings>()
    const checksOf = (wanted: number) => remembered(checksByMask, wanted, (bits) => new Checks(bits))
    const settingsOf = (wanted: number) =>
      remembered(settingsByUris, wanted, (uriChecks) => ({ uriChecks, proxyRequire }))
    return {
      functions: {
        sanity_check(context, checks, uriChecks) {
          const settings = settingsOf(uriChecks ?? params.uri_checks)
          const refusal = checksOf(checks ?? params.default_checks).findRefusal(context.message, settings)
          if (refusal === null) return 1
          context.explain('sanity_check', `${refusal.statusCode} ${refusal.reason}`)
          if (params.noreply === 0) answer(context, refusal)
          else context.scope.notes.set('sanity', refusal)
          return params.autodrop === 0 ? -1 : 0
        },
        sanity_reply(context) {
          const refusal = context.scope.notes.get('sanity') as Refusal | undefined
          if (params.noreply === 0 || refusal === undefined) return -1
          context.scope.notes.delete('sanity')
          return answer(context, refusal)
        },
      },
    }
  },
})

/** A script that computes its masks makes no more of them than this. */
const masksMax = 64

function remembered<V>(values: Map<number, V>, mask: number, make: (mask: number) => V): V {
  const known = values.get(mask)
  if (known !== undefined) return known
  const made = make(mask)
  if (values.size < masksMax) values.set(mask, made)
  return made
}

function answer(context: RouteContext, refusal: Refusal): number {
  const { message } = context
  if (refusal.isSilent === true || !message.isRequest || message.method === 'ACK') return -1
  const { statusCode, reason, headers } = refusal
  return context.reply(statusCode, reason, headers === undefined ? {} : { headers })
}
