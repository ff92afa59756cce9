import { directoryLaws, type LawWorld } from './directory-laws.ts'
import { world } from './world.ts'

directoryLaws(async (): Promise<LawWorld> => {
  const simulated = world()
  const { clock, redis } = simulated
  await clock.advance(100_000)
  return {
    now: () => clock.now(),
    pass: (milliseconds) => clock.advance(milliseconds),
    async edge(name, options) {
      const edge = await simulated.edge(name, options)
      const { link } = edge
      return Object.assign(edge, {
        cut: () => link.lose(),
        async mend() {
          link.find()
          await clock.advance(20)
        },
      })
    },
    async loseData() {
      redis.stop()
      redis.flush()
      redis.start()
      await clock.advance(20)
    },
    held() {
      for (const [key, { live, buried }] of redis.records) {
        const isAlive = [...live, ...buried.map(({ record }) => record)].some(
          ({ until }) => until > redis.now,
        )
        if (!isAlive) redis.records.delete(key)
      }
      return Promise.resolve(redis.records.size)
    },
  }
}, 'two edges and a directory, as it is meant')
