import { ArgumentProblem, anyRoute, definePlugin } from 'viaduct/plugin'

/** The worked example of docs/plugins.md: a quota of messages per user, kept in memory. */
export default definePlugin({
  name: 'hello',
  summary: 'Greets, and counts messages per user: the worked example of docs/plugins.md.',
  params: {
    greeting: { type: 'string', default: 'Hello', doc: 'How to greet.' },
    messages_max: { type: 'int', default: 100, unit: 'messages', doc: 'What one user may send per hour.' },
  },
  functions: {
    hello: {
      in: ['request'],
      args: [{ name: 'name', type: 'string', doc: 'Whom to greet; pseudo-variables are expanded.' }],
      returns: { 1: 'answered with 200', '-1': 'the request could not be answered' },
      doc: 'Answers the request with 200 and a greeting as its reason phrase.',
    },
    within_quota: {
      in: anyRoute,
      args: [
        {
          name: 'kind',
          type: 'literal',
          prepare: kindOf,
          doc: '`day` or `night`: at night everybody may send twice as much.',
        },
      ],
      returns: { 1: 'the sender may go on', '-1': 'the sender has used up the quota' },
      doc: 'Counts this message for its From user and says whether the quota allows it.',
    },
  },
  variables: {
    greetings: { type: 'int', doc: 'How many requests hello() has answered.' },
  },
  setup({ clock, log }, { greeting, messages_max }) {
    const sent = new Map<string, number>()
    let greetings = 0
    let hourStarted = clock.now()

    return {
      functions: {
        hello(context, name) {
          greetings++
          return context.reply(200, `${greeting} ${name}`)
        },
        within_quota(context, factor) {
          if (clock.now() - hourStarted > 3_600_000) {
            sent.clear()
            hourStarted = clock.now()
          }
          const user = context.message.from?.uri ?? ''
          const count = (sent.get(user) ?? 0) + 1
          sent.set(user, count)
          if (count <= messages_max * factor) return 1
          log.info(context.logFields(), `${user} has sent ${count} messages this hour`)
          return -1
        },
      },
      variables: { greetings: { read: () => greetings } },
    }
  },
})

/** Runs once, when the script is loaded: a wrong word is an error of the checker, not of a message at night. */
function kindOf(text: string): number {
  if (text === 'day') return 1
  if (text === 'night') return 2
  throw new ArgumentProblem(
    `'${text}' is neither day nor night`,
    'write within_quota("day") or within_quota("night")',
  )
}
