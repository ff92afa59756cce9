import { compare } from './compare.ts'
import { request } from './talk.ts'

const rich = `Contact: "Al" <sip:alice@{A};x=1>;expires=5
Subject: things
User-Agent: agent 1
X-One: a1,b2,ab3
X-Two: first
X-Two: second, third
X-List: <sip:a@h>, <sip:b@h>
X-Num: 12a
X-Params: a=1;b="x";c
P-Asserted-Identity: <sip:pai@example.com>
Remote-Party-ID: <sip:rpid@example.com>
Refer-To: <sip:refer@example.com>
Expires: 77
Content-Type: text/plain`

compare('variables.cfg', { file: 'variables.cfg' }, [
  {
    title: 'every pseudo-variable and transformation',
    talk: async ({ send, take }) => {
      send(
        'A',
        request('OPTIONS', 'bob', { headers: rich, body: 'a body', callId: 'variables' }).replace(
          'OPTIONS sip:bob@{ROUTER}',
          'OPTIONS sip:bob@example.com:5080;x=1;transport=udp?h=v',
        ),
      )
      await take('A')
    },
  },
  {
    title: 'and where nothing is there',
    talk: async ({ send, take }) => {
      send(
        'A',
        request('REGISTER', '', { from: '<sip:example.com>;tag=1', to: '<sip:example.com>', callId: 'bare' }),
      )
      await take('A')
    },
  },
])

compare('language.cfg', { file: 'language.cfg' }, [
  {
    title: 'the semantics of the language',
    talk: async ({ send, take }) => {
      send('A', request('OPTIONS', 'bob', { callId: 'language' }))
      await take('A')
    },
  },
])
