import { describe, expect, test } from 'vitest'
import { isRedisUrlFault, parseRedisUrl, type RedisAddress } from '../../src/redis/url.ts'

const single = (host: string, port = 6379): RedisAddress => ({
  kind: 'single',
  hosts: [{ host, port }],
  isTls: false,
  user: '',
  password: '',
  masterName: '',
  db: 0,
  description: '',
})

describe('the URL of a Redis', () => {
  test.each<[string, Partial<RedisAddress>, string]>([
    ['redis://localhost', single('localhost'), 'redis://localhost'],
    ['redis://10.0.0.1:6380/3', { ...single('10.0.0.1', 6380), db: 3 }, 'redis://10.0.0.1:6380/3'],
    ['redis://[2001:db8::1]:6380/', single('2001:db8::1', 6380), 'redis://[2001:db8::1]:6380/'],
    ['redis://[::1]', single('::1'), 'redis://[::1]'],
    [
      'redis://edge:secret@host/1',
      { ...single('host'), user: 'edge', password: 'secret', db: 1 },
      'redis://host/1',
    ],
    ['redis://:secret@host', { ...single('host'), password: 'secret' }, 'redis://host'],
    ['redis://u%40d:p%2F%3A%25@host', { ...single('host'), user: 'u@d', password: 'p/:%' }, 'redis://host'],
    ['redis://a:b:c@host', { ...single('host'), user: 'a', password: 'b:c' }, 'redis://host'],
    ['redis://a:b@c@host', { ...single('host'), user: 'a', password: 'b@c' }, 'redis://host'],
    ['rediss://host', { ...single('host'), isTls: true }, 'rediss://host'],
    [
      'redis+sentinel://s1,s2:26380/mymaster/2',
      {
        kind: 'sentinel',
        hosts: [
          { host: 's1', port: 26379 },
          { host: 's2', port: 26380 },
        ],
        masterName: 'mymaster',
        db: 2,
      },
      'redis+sentinel://s1,s2:26380/mymaster/2',
    ],
    ['redis+sentinel://s/m', { kind: 'sentinel', masterName: 'm', db: 0 }, 'redis+sentinel://s/m'],
    [
      'rediss+cluster://:pw@n1,[::1]:7001',
      {
        kind: 'cluster',
        isTls: true,
        password: 'pw',
        hosts: [
          { host: 'n1', port: 6379 },
          { host: '::1', port: 7001 },
        ],
      },
      'rediss+cluster://n1,[::1]:7001',
    ],
  ])('%s', (url, expected, description) => {
    expect(parseRedisUrl(url)).toMatchObject({ ...expected, description })
  })

  test.each([
    ['', /not a URL of Redis/],
    ['localhost:6379', /not a URL of Redis/],
    ['http://host', /not a URL of Redis/],
    ['redis+sentry://host', /not a URL of Redis/],
    ['redis://', /no host/],
    ['redis://host:0', /"host:0" is no host/],
    ['redis://host:65536', /no host/],
    ['redis://host:port', /no host/],
    ['redis://::1', /no host/],
    ['redis://h1,h2', /redis\+sentinel:/],
    ['redis://host/name', /"\/name" is no number/],
    ['redis://host/1/2', /no number/],
    ['redis://host/0?db=1', /no \?/],
    ['redis://user@host', /a user without a password/],
    ['redis://user:@host', /password is empty/],
    ['redis+sentinel://s1,s2', /by its name/],
    ['redis+sentinel://s1/m/x', /no number/],
    ['redis+cluster://n1/1', /database 0 only/],
    [`redis+cluster://${'n,'.repeat(32)}n`, /more than 32 hosts/],
  ])('%s is a fault', (url, text) => {
    expect(parseRedisUrl(url)).toEqual({ fault: expect.stringMatching(text) })
  })

  test.each([
    'redis://user:hunter2@host:x',
    'redis://user:hunter2@',
    'redis://user:hunter2/@host',
    'redis://user:hunter2/x@host/nodb',
    'redis://:hunter2%zz@host',
    'redis://hunter2@host',
    'http://user:hunter2@host',
    'redis://user:hunter2@b@host/y',
    'redis+cluster://u:hunter2@n/1',
  ])('no fault tells a password: %s', (url) => {
    const result = parseRedisUrl(url)
    expect(isRedisUrlFault(result)).toBe(true)
    expect(JSON.stringify(result)).not.toContain('hunter2')
  })
})
