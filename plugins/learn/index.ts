import {
  asciiLower,
  type BoundSettings,
  defaultBounds,
  definePlugin,
  type Flow,
  isUnicast,
  type Location,
  type RouteContext,
  type SipMessage,
  sameFlow,
} from '../../src/plugin/index.ts'
import type { RegistrarExports } from '../registrar/exports.ts'
import { onceAsked, type UsrlocExports, waitsIfShared } from '../usrloc/exports.ts'
import { recordOf } from './events.ts'
import {
  canonicalPrincipal,
  domainOf,
  hasCredentials,
  isRegistered,
  type Mapping,
  userOf,
  type Who,
  whoIsIt,
} from './identity.ts'
import { Learner } from './learner.ts'
import { NameList } from './names.ts'
import { type Claim, judge } from './policy.ts'
import { learnCommands } from './rpc.ts'
import { Sightings } from './sightings.ts'
import { isLocalError, readForgetOn } from './silence.ts'
import { parseSource, ruleFor } from './sources.ts'
import { allowThirdParty, createDelegateTables, type ThirdPartySettings } from './third-party.ts'

const table = {
  name: 'table',
  type: 'string',
  doc: 'Name of the location table, such as `location`.',
} as const

export default definePlugin({
  name: 'learn',
  summary:
    'Learns from a MESSAGE where its sender can be reached, and lets third parties register others, by policy ' +
    '(docs/learning.md; RFC 3261 §10.3 step 3, RFC 3428).',
  uses: ['usrloc'],
  usesIfLoaded: ['registrar', 'auth_db'],
  params: {
    methods: {
      type: 'string',
      default: 'MESSAGE',
      doc: 'Methods that teach a location, separated by | or commas.',
    },
    domain: {
      type: 'string',
      default: '',
      doc:
        'Domain of learned addresses-of-record if usrloc files by domain (use_domain); by default the host of the ' +
        'Request-URI, if it is ours. The From host never counts.',
    },
    aor: {
      type: 'format',
      doc: 'The address-of-record as a URI with pseudo-variables, such as "sip:$fU@iot.example". By default the From user.',
    },
    source: {
      type: 'string',
      repeatable: true,
      check: (value) => void parseSource(String(value), 60_000),
      doc:
        'A prefix whose devices may be learned without credentials: "60.250.0.0/16=>pinhole=45;carrier=1". Options: ' +
        'pinhole (seconds, 5 to 600), carrier=1 (a NAT that thousands share), provisional=accept (believe it without ' +
        'proof of the flow), conflict=newest.',
    },
    devices: {
      type: 'string',
      repeatable: true,
      doc: 'Who may be learned without credentials: "2000,2001", "pattern:2???", "file:devices.txt", "db:url#table.column".',
    },
    credentials: {
      type: 'string',
      repeatable: true,
      doc: 'Who has digest credentials beside the users of auth_db, and so may not be learned without them; same forms as devices.',
    },
    refresh_interval: {
      type: 'int',
      default: 60,
      unit: 's',
      doc: 'How often files and databases are read again.',
    },
    pinhole: {
      type: 'int',
      default: 60,
      unit: 's',
      doc: 'How long a flow is open after a packet came in on it.',
    },
    expires: {
      type: 'int',
      default: 86_400,
      unit: 's',
      doc: 'How long a learned binding is known, open or cold.',
    },
    max_total: { type: 'int', default: defaultBounds.total, doc: 'Most learned bindings.' },
    max_per_flow: { type: 'int', default: defaultBounds.perFlow, doc: 'Most users on one flow.' },
    max_per_address: {
      type: 'int',
      default: defaultBounds.perAddress,
      doc: 'Most users behind one address (IPv6: /64).',
    },
    max_per_carrier: {
      type: 'int',
      default: defaultBounds.perCarrierPrefix,
      doc: 'Most users behind one carrier prefix.',
    },
    max_new_rate: {
      type: 'int',
      default: defaultBounds.newPerSecond,
      unit: '1/s',
      doc: 'New users per address or carrier prefix.',
    },
    holddown: {
      type: 'int',
      default: 5,
      unit: 's',
      doc: 'How long a proven flow is kept against another claim.',
    },
    newest_wins: { type: 'int', default: 0, doc: '1: the newest claim wins at once, everywhere.' },
    max_moves: {
      type: 'int',
      default: 6,
      unit: '1/min',
      doc: 'Changes of flow of one user; more are a conflict.',
    },
    forget_on: {
      type: 'string',
      default: '404,481,timeout,icmp',
      check: (value) => void readForgetOn(String(value)),
      doc: 'What drops a learned binding at once: status codes, `timeout`, `icmp`.',
    },
    delegates: {
      type: 'string',
      repeatable: true,
      doc: 'A table of delegates in a file: "devices=>delegates.txt".',
    },
    delegate: {
      type: 'string',
      repeatable: true,
      doc: 'One rule: "devices=>1000 2000,21?? contact=seen max=1".',
    },
  },
  functions: {
    learn_location: {
      in: ['request'],
      args: [
        table,
        {
          name: 'aor',
          type: 'string',
          optional: true,
          doc: 'The address-of-record as a URI, instead of parameter aor.',
        },
      ],
      returns: {
        '1': 'learned: the user was not known, or had been forgotten',
        '2': 'refreshed: same flow',
        '3': 'moved to another flow',
        '-1': 'refused by policy; $learn(reason) says why',
        '-2': 'a bound is reached: flow, address, rate or table',
        '-3': 'conflict: another flow of this user is proven and recent, or it changes too often',
      },
      waits: waitsIfShared,
      doc:
        'Learns that the sender of this request is reachable where the packet came from. Call it after the request ' +
        'was authenticated, or for packets from an allowed prefix. Changes nothing about the request.',
    },
    allow_third_party: {
      in: ['request'],
      args: [
        { name: 'delegates', type: 'string', doc: 'Name of the table of delegates.' },
        { name: 'table', type: 'string', optional: true, doc: 'Location table; `location` by default.' },
      ],
      returns: {
        '1': 'allowed; the save() that follows stores it as delegated',
        '2': 'the digest user registers itself: nothing to allow',
        '-1': 'refused: 403 was sent; exit',
        '-2': 'no digest user yet: challenge first',
        '-3': 'no REGISTER, or no such table of delegates',
      },
      doc: 'May the digest user of this REGISTER register the user in To?',
    },
  },
  variables: {
    learn: {
      inner: 'name',
      type: 'string',
      doc: '$learn(aor), $learn(result), $learn(reason), $learn(flow), $learn(trust) of the last learn_location().',
    },
  },
  events: {
    learned: { doc: 'A location was learned.' },
    refreshed: { doc: 'A learned location was confirmed.' },
    moved: { doc: 'A learned user is on another flow now.' },
    refused: { doc: 'Learning was refused; $learn(reason) says why.' },
    conflict: { doc: 'Two flows claim one user; the older is kept.' },
    proven: { doc: 'A flow was proven: the device answered.' },
    expired: {
      doc: 'A learned location went: $learn(reason) is expired, 404, 481, timeout, icmp, evicted, registered.',
    },
    'third-party': { doc: 'A third-party registration was decided; $learn(trust) is who asked.' },
  },
  rpc: {
    'learn.list': {
      doc: 'Learned and delegated bindings with their flows.',
      params: [{ name: 'limit', optional: true, doc: 'At most so many; 100 by default.' }],
    },
    'learn.forget': {
      doc: 'Drops what was learned about a user.',
      params: [
        { name: 'table', doc: 'Such as `location`.' },
        { name: 'aor', doc: 'The user.' },
      ],
    },
    'learn.stats': { doc: 'Counts by event.' },
    'learn.reload': { doc: 'Reads the lists of devices and credentials again.' },
    'delegates.reload': { doc: 'Reads the tables of delegates again; a mistake leaves them as they were.' },
    'delegates.list': { doc: 'The rules in force.' },
  },
  metrics: {
    viaduct_learn_events_total: {
      doc: 'By event (learned, refreshed, moved, refused, conflict, proven, expired) and reason.',
    },
    viaduct_learn_bindings: { doc: 'Learned bindings.' },
    viaduct_learn_third_party_total: { doc: 'Third-party registrations by outcome and reason.' },
  },

  async setup(host, params) {
    const usrloc = host.exportsOf<UsrlocExports>('usrloc')
    if (usrloc === undefined) throw new Error('learn needs usrloc: loadmodule "usrloc.so"')
    const registrar = host.exportsOf<RegistrarExports>('registrar')
    const aorRules = registrar?.aorRules ?? usrloc.aorRules
    const pinhole = params.pinhole * 1000
    const sources = params.source.map((text) => parseSource(text, pinhole))
    const bounds: BoundSettings = {
      total: params.max_total,
      perFlow: params.max_per_flow,
      perAddress: params.max_per_address,
      perCarrierPrefix: params.max_per_carrier,
      newPerSecond: params.max_new_rate,
    }
    const events = host.metrics.counter('viaduct_learn_events_total', 'Learning, by event and reason.', [
      'event',
      'reason',
    ])
    const decisions = host.metrics.counter('viaduct_learn_third_party_total', 'Third-party registrations.', [
      'outcome',
      'reason',
    ])
    const learner = new Learner(
      host,
      usrloc,
      {
        sources,
        pinhole,
        expires: params.expires * 1000,
        bounds,
        holdDown: params.holddown * 1000,
        movesPerMinuteMax: params.max_moves,
        newestWins: params.newest_wins !== 0,
      },
      events,
    )
    host.metrics.gauge('viaduct_learn_bindings', 'Learned bindings.', () => learner.bounds.count)
    const devices = new NameList(params.devices, host)
    const credentials = new NameList(params.credentials, host)
    const tables = createDelegateTables(params.delegates, params.delegate, host)
    const methods = new Set(params.methods.split(/[|,\s]+/))
    const forgetOn = readForgetOn(params.forget_on)
    const sightings = new Sightings()
    const { workers, sockets } = host
    workers.onTold(sightingTopic, (value) => {
      const [aor, socketIndex, address, port, bytes, seenAt] = value as ToldSighting
      const socket = sockets.sockets[socketIndex]
      if (socket !== undefined) sightings.note(aor, { socket, address, port }, bytes, seenAt)
    })
    const usesDelegates = params.delegates.length + params.delegate.length > 0
    const pinholeOf = (address: string) => ruleFor(sources, address)?.pinhole ?? pinhole
    const delegate = registrar?.delegate
    const thirdParty: ThirdPartySettings = {
      host,
      aorRules,
      tables,
      sightings,
      decisions,
      pinholeOf,
      delegate,
    }
    const mapping: Mapping = { host, aorRules, domain: asciiLower(params.domain), aor: params.aor }

    const reloadNames = async () => {
      await devices.reload()
      await credentials.reload()
    }
    let isClosed = false
    await reloadNames()
    await tables.reload()

    host.every(Math.max(1, params.refresh_interval) * 1000, reloadNames)
    host.onArrival((message, flow) => arrived(message, flow))
    host.onSendError((flow, code) => {
      if (forgetOn.icmp && !isLocalError(code)) forgetFlow(flow, 'icmp')
    })
    host.proxy.onBranchEnd((end) => {
      const found = isClosed ? null : learner.find(end.target.ruid)
      if (found === null || found.binding.flow === null) return
      const { location, binding } = found
      const flow = found.binding.flow
      if (end.cause === 'timeout') {
        if (forgetOn.timeout) learner.forget(location, binding, 'timeout')
      } else if (end.cause === 'transport') {
        if (forgetOn.icmp) learner.forget(location, binding, 'icmp')
      } else if (end.responseFlow !== null && sameFlow(end.responseFlow, flow.flow)) {
        if (end.statusCode >= 200 && end.statusCode < 300) learner.prove(binding)
        else if (forgetOn.statuses.has(end.statusCode))
          learner.forget(location, binding, String(end.statusCode))
      }
    })

    return {
      functions: {
        learn_location(context, name, aorUri) {
          const location = usrloc.table(name)
          return learn(context, location, whoIsIt(mapping, context, aorUri))
        },
        allow_third_party: (context, name, locationName) =>
          allowThirdParty(thirdParty, context, name, usrloc.table(locationName || 'location')),
      },
      variables: {
        learn: {
          read(context, inner) {
            const record = recordOf(context)
            if (record === undefined) return null
            switch (inner) {
              case 'aor':
                return record.aor
              case 'result':
                return record.result
              case 'reason':
                return record.reason
              case 'flow':
                return record.flow
              case 'trust':
                return record.trust
              default:
                return null
            }
          },
        },
      },
      close() {
        isClosed = true
        learner.close()
      },
      rpc: learnCommands({ host, usrloc, learner, tables, events, aorRules, reloadNames }),
    }

    function learn(context: RouteContext, location: Location, who: Who): number | Promise<number> {
      const claim: Claim = {
        isLearnedMethod: methods.has(context.message.method),
        aor: who.aor,
        user: who.user,
        domain: who.domain,
        authenticated: canonicalPrincipal(context.scope.authenticated, aorRules),
        isUnicast: isUnicast(context.flow.address) && context.flow.port > 0,
        isOwnAddress: host.sockets.isMyself(context.flow.address, context.flow.port),
        isAllowedSource: ruleFor(sources, context.flow.address) !== null,
        isTrustedSource: ruleFor(sources, context.flow.address)?.isTrusted === true,
        isDevice: devices.has(who.user) === true,
        hasCredentials: () => hasCredentials(host, credentials, who.user),
        isRegistered: who.aor !== null && isRegistered(location, who.aor),
      }
      if (who.isWithoutDomain) return learner.refuse(context, '', 'no-domain')
      const verdict = judge(claim)
      if (verdict.kind === 'refused' || who.aor === null) {
        const reason = verdict.kind === 'refused' ? verdict.reason : 'no-user'
        return learner.refuse(context, who.aor ?? '', reason)
      }
      const by =
        context.scope.authenticated?.user ?? ruleFor(sources, context.flow.address)?.prefix.text ?? ''
      const { trust, proven } = verdict
      const { aor, contactUser } = who
      const accepted = { aor, contactUser, trust, by, proven }
      if (!location.isShared) return learner.learn(context, location, accepted)
      // Other edges are asked for those alone who would be learned: what strangers send costs nobody a question.
      return onceAsked(location.fetch(aor), () =>
        isRegistered(location, aor)
          ? learner.refuse(context, aor, 'registered')
          : learner.learn(context, location, accepted),
      )
    }

    /** Any packet on a known flow shows that its pinhole is open. Hot: once per datagram. */
    function arrived(message: SipMessage | null, flow: Flow): void {
      if (!usesDelegates && usrloc?.flows.count === 0) return
      const now = host.clock.now()
      const state = usrloc?.flows.heard(flow, message === null ? 2 : message.text.length, now)
      if (state !== undefined && state.lastSeen - state.storedAt >= storedEvery) {
        for (const binding of state.bindings) learner.find(binding.ruid)?.location.noteHeard(binding)
      }
      if (usesDelegates && message?.isRequest && methods.has(message.method)) sighted(message, flow, now)
    }

    function sighted(message: SipMessage, flow: Flow, now: number): void {
      const uri = message.from?.uri
      const user = uri === undefined ? null : userOf(uri, aorRules)
      if (user !== null && isUnicast(flow.address)) {
        const host = aorRules.useDomain ? domainOf(mapping, message.requestUri) : ''
        const aor = host === '' ? user : `${user}@${host}`
        sightings.note(aor, flow, message.text.length, now)
        const { socket, address, port } = flow
        workers.tell(sightingTopic, [aor, socket.index, address, port, message.text.length, now])
      }
    }

    function forgetFlow(flow: Flow, reason: string): void {
      for (const binding of [...(usrloc?.flows.find(flow)?.bindings ?? [])]) {
        const found = learner.find(binding.ruid)
        if (found !== null) learner.forget(found.location, found.binding, reason)
      }
    }
  },
})

/** What another worker has seen: address-of-record, flow, octets, when. */
const sightingTopic = 'learn.sighting'

type ToldSighting = [
  aor: string,
  socketIndex: number,
  address: string,
  port: number,
  bytes: number,
  seenAt: number,
]

/** Milliseconds: how often a flow's last packet is worth telling the store. */
const storedEvery = 10_000
