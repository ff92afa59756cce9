import { ArgumentProblem, durabilityOf } from '../../src/plugin/index.ts'

/** The parameter of that name. `crash` and `power` are the store's business, which is opened before modules are set up. */
export const durability = {
  type: 'string',
  default: 'crash',
  check(word: string | number) {
    if (durabilityOf(String(word)) === null) throw new ArgumentProblem('memory, crash or power')
  },
  doc:
    'What a 200 to REGISTER waits for, that is what it survives. memory: nothing; it leaves at once, and what was ' +
    'bound in the last moment is lost with the process, as with db_mode 2 of Kamailio. crash: the kernel has the ' +
    'binding, and kill -9 loses nothing. power: the disk has it. Also for the 202 of the outbox, which survives at ' +
    'least a crash. Without effect where bindings are not in the embedded store. What each costs: docs/operations.md.',
} as const
