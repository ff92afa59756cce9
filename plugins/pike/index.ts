import { ArgumentProblem, anyRoute, definePlugin, type RouteContext } from '../../src/plugin/index.ts'
import { type Source, Sources } from './sources.ts'

const returns = {
  1: 'Not too many.',
  '-2': 'Too many, for the first time: worth a log line or a ban.',
  '-1': 'Still too many.',
} as const

const positive = (value: string | number) => {
  if (Number(value) < 1) throw new ArgumentProblem(`${value} must be at least 1`)
}

export default definePlugin({
  name: 'pike',
  summary: "Tells sources that send too much (Kamailio's pike).",
  params: {
    sampling_time_unit: {
      type: 'int',
      default: 2,
      unit: 's',
      check: positive,
      doc: 'How long requests are counted.',
    },
    reqs_density_per_unit: {
      type: 'int',
      default: 30,
      check: positive,
      doc: 'How many requests of one source in that time are too many.',
    },
    remove_latency: {
      type: 'int',
      ignored: 'sources are kept in a bounded table',
      doc: 'How long a source is remembered.',
    },
    pike_log_level: {
      type: 'int',
      ignored: 'the line that names a blocked source is a warning',
      doc: 'Level of the log line.',
    },
  },
  functions: {
    pike_check_req: {
      in: anyRoute,
      returns,
      doc: 'Counts this message for its source, and tells if that sends too much.',
    },
    pike_check_ip: {
      in: anyRoute,
      args: [{ name: 'address', type: 'string', doc: 'The source to count for.' }],
      returns,
      doc: 'The same for an address.',
    },
  },
  rpc: {
    'pike.top': {
      params: [{ name: 'which', optional: true, doc: 'ALL, HOT or WARM; HOT if absent.' }],
      doc: 'Sources and their counts; each worker counts for itself.',
      workers: { list: 'concat', number_of_rows: 'sum' },
    },
  },
  metrics: { viaduct_pike_blocked_total: { doc: 'Messages of sources that send too much.' } },

  setup(host, params) {
    const sources = new Sources(host.clock, params.sampling_time_unit, params.reqs_density_per_unit)
    const blocked = host.metrics.counter(
      'viaduct_pike_blocked_total',
      'Messages of sources that send too much.',
    )

    function check(context: RouteContext, address: string): number {
      const verdict = sources.count(address)
      if (verdict === 'pass') return 1
      blocked.add()
      if (verdict === 'blocked') return -1
      host.log.warn({ ...context.logFields(), address }, `${address} sends too much`)
      return -2
    }

    const row = (source: Source) => ({
      ip_addr: source.name,
      leaf_hits_prev: source.previous,
      leaf_hits_curr: source.current,
      status: sources.isHot(source) ? 'HOT' : 'WARM',
    })

    return {
      functions: {
        pike_check_req: (context) => check(context, context.flow.address),
        pike_check_ip: check,
      },
      rpc: {
        'pike.top': ([which = 'HOT']) => {
          const rows = sources.list().map(row)
          const wanted = String(which).toUpperCase()
          const list = wanted === 'ALL' ? rows : rows.filter(({ status }) => status === wanted)
          return { max_hits: params.reqs_density_per_unit, list, number_of_rows: list.length }
        },
      },
    }
  },
})
