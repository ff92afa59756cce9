import { compare } from './compare.ts'
import { credentials, newCallId, request, type Talk } from './talk.ts'

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
      ] as const
    ).map(([title, password, changes]) => ({
      title: `${method}: ${title}`,
      talk: async ({ send, take, router }: Talk) => {
        const callId = newCallId()
        const to = '<sip:alice@example.com>'
        send('A', request(method, 'alice', { callId, to }))
        const challenge = await take('A')
        const name = method === 'REGISTER' ? 'Authorization' : 'Proxy-Authorization'
        const uri = `sip:alice@${router}`
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
