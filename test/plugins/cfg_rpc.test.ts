import { describe, expect, test } from 'vitest'
import { request, startRouter } from '../script/router.ts'

const script = `debug=0
pstn.gw_ip = "192.0.2.1" desc "the gateway"
pstn.gw_port = 5060 desc "its port"
loadmodule "cfg_rpc.so"
loadmodule "corex.so"
loadmodule "kex.so"
loadmodule "xlog.so"
request_route { xinfo("$sel(cfg_get.pstn.gw_ip):$sel(cfg_get.pstn.gw_port)"); }`

async function start() {
  const router = await startRouter(script)
  return { router, call: (name: string, ...params: unknown[]) => router.engine.rpc.get(name)?.(params) }
}

describe('what is set can be seen', () => {
  test.each([
    ['a global of the core', ['core', 'debug'], 0],
    ['a variable', ['pstn', 'gw_port'], 5060],
    ['a group', ['pstn'], { gw_ip: '192.0.2.1', gw_port: 5060 }],
  ])('%s', async (_, params, expected) => {
    expect((await start()).call('cfg.get', ...params)).toEqual(expected)
  })

  test.each([
    [[], 'Failed to get the parameters'],
    [['core', 'nope'], 'Failed to get the variable'],
    [['nope'], 'Failed to get the variable'],
    // It has no meaning here, so it has no value to show.
    [['core', 'shm_mem_size'], 'Failed to get the variable'],
  ])('%j: %s', async (params, message) => {
    const { call } = await start()
    expect(() => call('cfg.get', ...params)).toThrow(message)
  })

  test('cfg.list, cfg.help', async () => {
    const { call } = await start()
    expect(call('cfg.list')).toEqual(expect.arrayContaining(['core: debug', 'pstn: gw_ip']))
    expect(call('cfg.list', 'pstn')).toEqual(['pstn: gw_ip', 'pstn: gw_port'])
    expect(call('cfg.help', 'core', 'debug')).toMatch(/^How much is logged/)
    expect(call('cfg.help', 'pstn', 'gw_port')).toBe('(parameter type is integer)')
  })
})

describe('what can be changed', () => {
  test('a variable: the next message sees it', async () => {
    const { router, call } = await start()
    expect(call('cfg.seti', 'core', 'debug', '3')).toEqual({})
    expect(call('cfg.sets', 'pstn', 'gw_ip', '192.0.2.2')).toEqual({})
    expect(call('cfg.set', 'pstn', 'gw_port', '5070')).toEqual({})
    await router.handle(request())
    expect(router.lines()).toContain('info: 192.0.2.2:5070')
  })

  test('debug is one for cfg.seti, corex.debug and resetdebug()', async () => {
    const { call } = await start()
    expect(call('corex.debug')).toEqual({ debug: 0 })
    expect(call('corex.debug', '3')).toEqual({ old: 0, new: 3 })
    expect(call('cfg.get', 'core', 'debug')).toBe(3)
    expect(() => call('corex.debug', 'much')).toThrow('The level is no number')
  })

  test.each([
    ['cfg.seti', ['core', 'children', '4'], 'Failed to set the variable'],
    ['cfg.seti', ['pstn', 'nope', '4'], 'Failed to set the variable'],
    ['cfg.seti', ['pstn', 'gw_port', 'x'], 'The value is no integer'],
    ['cfg.seti', ['pstn', 'gw_ip', '4'], 'The variable is a text'],
    ['cfg.sets', ['pstn', 'gw_port', 'x'], 'The variable is a number'],
  ])('%s %j: %s', async (method, params, message) => {
    const { call } = await start()
    expect(() => call(method, ...params)).toThrow(message)
  })
})
