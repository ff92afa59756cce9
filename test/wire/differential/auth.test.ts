import { compare, type Difference } from './compare.ts'
import { credentials, newCallId, request, type Talk } from './talk.ts'

const challenges = {
  REGISTER: ['401 Unauthorized', 'WWW'],
  MESSAGE: ['407 Proxy Authentication Required', 'Proxy'],
} as const

/** Kamailio accepts, Viaduct challenges again. */
function refused(method: keyof typeof challenges, why: string): Difference {
  const [status, scheme] = challenges[method]
  const challenge = `${scheme}-Authenticate: Digest realm="example.com", nonce="NONCE", qop="auth"`
  return {
    why,
    replace: [
      [/200 Proven/, status],
      [/^X-User: .*$/m, `X-Code: -1\r\n${challenge}`],
    ],
  }
}

const differences = (method: keyof typeof challenges): Readonly<Record<string, Difference>> => ({
  'an unknown algorithm': refused(method, 'RFC 7616 §3.3: what was not asked for is no answer'),
  'a uri of something else': refused(
    method,
    'RFC 7616 §3.4.6: an answer that was made for another resource proves nothing about this one',
  ),
  'a count that is none': {
    why: 'malformed credentials are -1, a wrong response -2',
    replace: [[/(CSeq: 2 \w+\r\nX-Code:) -2/, '$1 -1']],
  },
})

compare(
  'auth.cfg',
  { file: 'auth.cfg' },
  (['REGISTER', 'MESSAGE'] as const).flatMap((method) =>
    (
      [
        ['the right password', 'secret', {}],
        ['a wrong password', 'guess', {}],
        ['a foreign realm', 'secret', { realm: '"other"' }],
        ['a nonce of nobody', 'secret', { nonce: '"Zm9yZ2VkZm9yZ2VkZm9yZ2VkZm9yZ2Vk"' }],
        ['no response', 'secret', { response: '""' }],
        ['an unknown algorithm', 'secret', { algorithm: 'FOO' }],
        ['the algorithm by name', 'secret', { algorithm: 'MD5' }],
        ['a count that is none', 'secret', { nc: 'x' }],
        ['a uri of something else', 'secret', {}],
      ] as const
    ).map(([title, password, changes]) => ({
      title: `${method}: ${title}`,
      differs: differences(method)[title],
      talk: async ({ send, take, router }: Talk) => {
        const callId = newCallId()
        const to = '<sip:alice@example.com>'
        send('A', request(method, 'alice', { callId, to }))
        const challenge = await take('A')
        const name = method === 'REGISTER' ? 'Authorization' : 'Proxy-Authorization'
        const uri = title === 'a uri of something else' ? 'sip:elsewhere.net' : `sip:alice@${router}`
        send(
          'A',
          request(method, 'alice', {
            callId,
            to,
            cseq: 2,
            headers: `${name}: ${credentials(challenge, method, password, uri, changes)}`,
          }),
        )
        await take('A')
      },
    })),
  ),
)
