import { setFlagsFromString } from 'node:v8'

/**
 * What a request makes is made young. V8 watches at which places of the code objects survive a collection, and makes those
 * of a busy place old from the start. In a router they survive because their request was under way just then, and are
 * garbage a few milliseconds later: made old, they wait for a collection of the whole heap, and keep what they point to.
 * One life of the process came to that conclusion and the next did not: scenario b at saturation took 26 to 35 us a
 * request or 15 to 18, with 99 % of the answers within 28 ms or 10.
 *
 * For all threads of the process, before any code is optimized.
 */
export function keepObjectsYoung(): void {
  setFlagsFromString('--no-allocation-site-pretenuring')
}
