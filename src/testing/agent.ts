import { describe, isIgnored, isWhat, LadderMismatch, type ReceiveOptions } from './expectation.ts'
import type { Endpoint } from './nat.ts'
import type { Received } from './received.ts'
import { type SendOptions, UserAgent } from './user-agent.ts'

/** Milliseconds of the simulated clock that a step waits if it does not say. */
const receiveWithinMs = 2_000

/**
 * A scripted SIP endpoint: it sends what a test says and says what came. 100s, ACKs and retransmissions are overlooked
 * unless a test asks for them. Waiting moves the simulated clock.
 */
export class Agent extends UserAgent {
  /**
   * A request (`'MESSAGE sip:bob@example.com'`; `'BYE'`, `'ACK'`, `'CANCEL'` without a URI for the last dialog or
   * INVITE) or a response (`200`, `'180 Ringing'`). Returns the octets that left.
   */
  async sends(what: string | number, options: SendOptions = {}): Promise<string> {
    this.surroundings.step(`${this.name} sends ${what}`)
    const text = /^\d{3}\b/.test(String(what))
      ? this.respond(what, options)
      : this.request(String(what), options)
    await this.surroundings.clock.settle()
    return text
  }

  /** Octets as they are. */
  async sendsText(text: string, to: Endpoint = this.surroundings.router): Promise<void> {
    this.surroundings.step(`${this.name} sends text`)
    this.transmit(text, to)
    await this.surroundings.clock.settle()
  }

  /** The last datagram leaves again, octet by octet. */
  async repeats(): Promise<void> {
    this.surroundings.step(`${this.name} repeats`)
    this.repeat()
    await this.surroundings.clock.settle()
  }

  /** The request that was challenged last leaves again, with credentials and the next CSeq. */
  async authenticates(user: { username?: string; password?: string } = {}): Promise<string> {
    this.surroundings.step(`${this.name} authenticates`)
    const text = this.authenticate(user.username ?? this.user, user.password ?? this.password)
    await this.surroundings.clock.settle()
    return text
  }

  /** REGISTER, with an answer to the challenge if one comes. Returns the 200. */
  async registers(options: SendOptions & { expires?: number } = {}): Promise<Received> {
    const expires = options.expires === undefined ? {} : { Expires: String(options.expires) }
    await this.sends(`REGISTER sip:${this.domain}`, {
      ...options,
      headers: { ...expires, ...options.headers },
    })
    const first = await this.#nextResponse()
    if (first.statusCode !== 401) return this.#expectOk(first)
    await this.authenticates()
    return this.#expectOk(await this.#nextResponse())
  }

  /**
   * Waits for the next message and says if it is this one: `'INVITE'`, `'INVITE sip:bob@192.0.2.12'`, `200`,
   * `'486 Busy Here'`, `'4xx'`. Throws LadderMismatch if another one comes, or none.
   */
  async receives(what: string | number, options: ReceiveOptions = {}): Promise<Received> {
    this.surroundings.step(`${this.name} receives ${what}${options.again ? ' again' : ''}`)
    const wanted = String(what)
    const isWelcome = (received: Received) => !isIgnored(received, wanted, options)
    const next = await this.#wait(isWelcome, options.within ?? receiveWithinMs)
    if (next === null) throw new LadderMismatch(`${this.name} should receive ${what}, and nothing came`)
    next.isExpected = true
    if (!isWhat(next, wanted, options)) {
      throw new LadderMismatch(`${this.name} should receive ${what}, and got ${describe(next)}`)
    }
    return next
  }

  /** Nothing comes for so many milliseconds; 100s and retransmissions do not count. */
  async receivesNothing(within = 1_000): Promise<void> {
    this.surroundings.step(`${this.name} receives nothing`)
    const next = await this.#wait((received) => !isIgnored(received, '', {}), within)
    if (next !== null)
      throw new LadderMismatch(`${this.name} should receive nothing, and got ${describe(next)}`)
  }

  /** Messages that came and that nobody expected; 100s and retransmissions left out. */
  get unexpected(): Received[] {
    return this.inbox.filter((received) => !received.isExpected && !isIgnored(received, '', {}))
  }

  async #nextResponse(): Promise<Received> {
    const next = await this.#wait((received) => !isIgnored(received, '', {}), receiveWithinMs)
    if (next === null) throw new LadderMismatch(`${this.name} should receive a response, and nothing came`)
    next.isExpected = true
    return next
  }

  #expectOk(response: Received): Received {
    this.surroundings.step(`${this.name} receives 200`)
    if (response.statusCode === 200) return response
    throw new LadderMismatch(`${this.name} should be registered, and got ${describe(response)}`)
  }

  /** The first message that nobody has taken yet and that is welcome; null if none comes in time. */
  async #wait(isWelcome: (received: Received) => boolean, withinMs: number): Promise<Received | null> {
    const { clock } = this.surroundings
    const end = clock.now() + withinMs
    const find = () => this.inbox.find((received) => !received.isExpected && isWelcome(received)) ?? null
    for (;;) {
      // Work that Node.js itself does meanwhile (files, crypto) gets a turn before time moves on.
      for (let turn = 0; turn < 3; turn++) await clock.settle()
      const next = find()
      if (next !== null) return next
      const step = clock.untilNext()
      if (clock.now() + step > end) {
        await clock.advance(end - clock.now())
        return find()
      }
      await clock.advance(step)
    }
  }
}
