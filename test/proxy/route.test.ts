import { describe, expect, it } from 'vitest'
import { applyRoutePlan, planRoute } from '../../src/proxy/route.ts'
import { createEditList } from '../../src/sip/edit.ts'
import { HeaderId } from '../../src/sip/header-id.ts'
import { writeMessage } from '../../src/sip/write.ts'
import { createListenSocket, createSocketTable } from '../../src/transport/sockets.ts'
import { request, scan } from './stand.ts'

const sockets = createSocketTable([
  createListenSocket({ transport: 'udp', address: '127.0.0.1', port: 15900 }, 0),
  createListenSocket({ transport: 'udp', address: '127.0.0.1', port: 15911 }, 1),
])

const me = '127.0.0.1:15900'
const other = '127.0.0.1:15101'

interface Row {
  readonly what: string
  readonly uri: string
  readonly routes: readonly string[]
  readonly toTag: boolean
  readonly code: number
  /** The new Request-URI, null if it stays. */
  readonly ru?: string
  readonly du?: string
  /** Route headers that are left. */
  readonly left: readonly string[]
}

/** Measured on Kamailio 5.6.3 unless `what` says otherwise. */
const table: Row[] = [
  { what: 'no Route, no To-tag', uri: `sip:u@${me}`, routes: [], toTag: false, code: -1, left: [] },
  { what: 'no Route', uri: `sip:u@${other}`, routes: [], toTag: true, code: -1, left: [] },
  {
    what: 'preloaded with us alone',
    uri: `sip:u@${me}`,
    routes: [`<sip:${me};lr>`],
    toTag: false,
    code: -3,
    left: [],
  },
  {
    what: 'preloaded with us and a next hop',
    uri: `sip:u@${me}`,
    routes: [`<sip:${me};lr>, <sip:${other};lr>`],
    toTag: false,
    code: 1,
    du: `sip:${other};lr`,
    left: [`<sip:${other};lr>`],
  },
  {
    what: 'preloaded with somebody else',
    uri: `sip:u@${me}`,
    routes: [`<sip:${other};lr>`],
    toTag: false,
    code: 1,
    du: `sip:${other};lr`,
    left: [`<sip:${other};lr>`],
  },
  {
    what: 'preloaded with us and a strict router',
    uri: `sip:u@${me}`,
    routes: [`<sip:${me};lr>, <sip:${other}>`],
    toTag: false,
    code: 1,
    ru: `sip:${other}`,
    left: [`<sip:u@${me}>`],
  },
  { what: 'us alone', uri: `sip:u@${other}`, routes: [`<sip:${me};lr>`], toTag: true, code: 1, left: [] },
  { what: 'us without lr', uri: `sip:u@${other}`, routes: [`<sip:${me}>`], toTag: true, code: 1, left: [] },
  {
    what: 'us and a loose router on two lines',
    uri: 'sip:u@127.0.0.1:15102',
    routes: [`<sip:${me};lr>`, `<sip:${other};lr>,<sip:p3;lr>`],
    toTag: true,
    code: 1,
    du: `sip:${other};lr`,
    left: [`<sip:${other};lr>,<sip:p3;lr>`],
  },
  {
    what: 'us and a strict router',
    uri: 'sip:u@127.0.0.1:15102',
    routes: [`<sip:${me};lr>,<sip:${other}>, <sip:p3;lr>`],
    toTag: true,
    code: 1,
    ru: `sip:${other}`,
    left: ['<sip:p3;lr>', '<sip:u@127.0.0.1:15102>'],
  },
  {
    what: 'a strict router that is not us',
    uri: 'sip:u@127.0.0.1:15102',
    routes: [`<sip:${other}>`],
    toTag: true,
    code: 1,
    ru: `sip:${other}`,
    left: ['<sip:u@127.0.0.1:15102>'],
  },
  {
    what: 'what stays of a line stays as it was written',
    uri: 'sip:u@127.0.0.1:15102',
    routes: [`<sip:${me};lr> , <sip:${other};lr>,  "n, m" <sip:p3;lr>`],
    toTag: true,
    code: 1,
    du: `sip:${other};lr`,
    left: [`<sip:${other};lr>,  "n, m" <sip:p3;lr>`],
  },
  {
    what: 'double Record-Route',
    uri: 'sip:u@127.0.0.1:15102',
    routes: [`<sip:${me};r2=on;lr>,<sip:${me};r2=on;lr>`, `<sip:${other};lr>`],
    toTag: true,
    code: 1,
    du: `sip:${other};lr`,
    left: [`<sip:${other};lr>`],
  },
  {
    what: 'us twice without r2: the second stays and comes back',
    uri: `sip:u@${other}`,
    routes: [`<sip:${me};lr>,<sip:${me};lr>`],
    toTag: true,
    code: 1,
    du: `sip:${me};lr`,
    left: [`<sip:${me};lr>`],
  },
  {
    what: 'we are the Request-URI, a strict router follows',
    uri: `sip:u@${me};lr`,
    routes: [`<sip:u@${other}>`],
    toTag: true,
    code: 1,
    ru: `sip:u@${other}`,
    left: [],
  },
  {
    what: 'we are the Request-URI, the real one is the last Route',
    uri: `sip:u@${me};lr`,
    routes: [`<sip:${other};lr>,<sip:u@127.0.0.1:15102>`],
    toTag: true,
    code: 1,
    ru: 'sip:u@127.0.0.1:15102',
    du: `sip:${other};lr`,
    left: [`<sip:${other};lr>`],
  },
  {
    what: 'we are the Request-URI without lr and without a user',
    uri: `sip:${me}`,
    routes: [`<sip:${other};lr>,<sip:u@127.0.0.1:15102>`],
    toTag: true,
    code: 1,
    ru: 'sip:u@127.0.0.1:15102',
    du: `sip:${other};lr`,
    left: [`<sip:${other};lr>`],
  },
  {
    what: 'strict, and the top Route is us too (RFC 3261 §16.4; Kamailio sends it to itself)',
    uri: `sip:u@${me};lr`,
    routes: [`<sip:${me};lr>,<sip:${other};lr>,<sip:u@127.0.0.1:15102>`],
    toTag: true,
    code: 1,
    ru: 'sip:u@127.0.0.1:15102',
    du: `sip:${other};lr`,
    left: [`<sip:${other};lr>`],
  },
  {
    what: 'a user of ours is the Request-URI (RFC 3261 §16.4; Kamailio takes it for a Record-Route of its own)',
    uri: `sip:u@${me}`,
    routes: [`<sip:${me};lr>`],
    toTag: true,
    code: 1,
    left: [],
  },
  {
    what: 'unreadable',
    uri: `sip:u@${other}`,
    routes: ['garbage'],
    toTag: true,
    code: -1,
    left: ['garbage'],
  },
  {
    what: 'unreadable below us',
    uri: `sip:u@${other}`,
    routes: [`<sip:${me};lr>, garbage`],
    toTag: true,
    code: -1,
    left: [`<sip:${me};lr>, garbage`],
  },
  {
    what: 'header parameters and display names stay',
    uri: 'sip:u@127.0.0.1:15102',
    routes: [`"Me, x" <sip:${me};lr>;hp=1,"n, m" <sip:${other};lr>;x=1`],
    toTag: true,
    code: 1,
    du: `sip:${other};lr`,
    left: [`"n, m" <sip:${other};lr>;x=1`],
  },
]

describe('RFC 3261 §16.4: route preprocessing', () => {
  for (const row of table) {
    it(row.what, () => {
      const text = request({
        uri: row.uri,
        ...(row.toTag && { toTag: 'x' }),
        headers: row.routes.map((value) => `Route: ${value}`),
      })
      const message = scan(text)
      const plan = planRoute(message, row.uri, sockets)
      expect(plan.code).toBe(row.code)
      expect(plan.requestUri).toBe(row.ru ?? null)
      expect(plan.destinationUri).toBe(row.du ?? null)
      const edits = createEditList()
      if (plan.code !== -1) applyRoutePlan(plan, message, edits)
      expect(routesOf(writeMessage(message, edits))).toEqual(row.left)
    })
  }

  it('a strict router: the old Request-URI goes below all other headers', () => {
    const message = scan(request({ toTag: 'x', headers: [`Route: <sip:${other}>`, 'X-Last: 1'] }))
    const edits = createEditList()
    applyRoutePlan(planRoute(message, 'sip:u@192.0.2.9', sockets), message, edits)
    expect(writeMessage(message, edits)).toMatch(
      /X-Last: 1\r\n(?:[^\r\n]+\r\n)*Route: <sip:u@192\.0\.2\.9>\r\n\r\n/,
    )
  })

  it('a double Record-Route says which socket the request leaves from', () => {
    const routes = [`<sip:${me};r2=on;lr>,<sip:127.0.0.1:15911;r2=on;lr>`]
    const message = scan(request({ toTag: 'x', headers: routes.map((value) => `Route: ${value}`) }))
    expect(planRoute(message, 'sip:u@192.0.2.9', sockets).socket?.port).toBe(15911)
  })

  it('the parameters of the first Route are kept for check_route_param()', () => {
    const message = scan(request({ toTag: 'x', headers: [`Route: <sip:${me};lr;ftag=ft;nat=yes>`] }))
    const plan = planRoute(message, 'sip:u@192.0.2.9', sockets)
    expect(plan.routeParams).toBe(';lr;ftag=ft;nat=yes')
    expect(plan.routeUri).toBe(`sip:${me};lr;ftag=ft;nat=yes`)
  })

  it('more values than we follow are none that we follow', () => {
    const many = Array.from({ length: 65 }, () => `Route: <sip:${me};lr>`)
    const message = scan(request({ toTag: 'x', headers: many }))
    expect(planRoute(message, 'sip:u@192.0.2.9', sockets).code).toBe(-1)
  })
})

function routesOf(text: string): string[] {
  const message = scan(text)
  const values: string[] = []
  for (let i = message.first(HeaderId.route); i >= 0; i = message.next(i)) values.push(message.headerValue(i))
  return values
}
