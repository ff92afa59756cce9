import { describe, expect, test } from 'vitest'
import { type Actions, Do } from '../../src/transaction/actions.ts'
import {
  type InviteClientInput,
  type InviteClientState,
  inviteClientLifetime,
  startInviteClient,
  stepInviteClient,
} from '../../src/transaction/invite-client.ts'
import {
  type InviteServerInput,
  type InviteServerState,
  inviteServerLifetime,
  stepInviteServer,
} from '../../src/transaction/invite-server.ts'
import {
  type NonInviteClientInput,
  type NonInviteClientState,
  nextTimerE,
  nonInviteClientLifetime,
  startNonInviteClient,
  stepNonInviteClient,
} from '../../src/transaction/non-invite-client.ts'
import {
  classifyResponse,
  type NonInviteServerInput,
  type NonInviteServerState,
  nonInviteServerLifetime,
  stepNonInviteServer,
} from '../../src/transaction/non-invite-server.ts'
import { defaultTimers } from '../../src/transaction/transaction.ts'

/** Every state with every input: the next state, and what must be done in words. */
type Table<State extends string, Input extends string> = Record<State, Record<Input, string>>

const out: Actions = { bits: 0 }

function said(next: string): string {
  const words = Object.entries(Do)
    .filter(([, bit]) => bit !== 0 && (out.bits & bit) !== 0)
    .map(([name]) => name)
  return [next, ...words].join(' ')
}

function verify<State extends string, Input extends string>(
  table: Table<State, Input>,
  step: (state: State, input: Input) => State,
): void {
  for (const state of Object.keys(table) as State[]) {
    for (const input of Object.keys(table[state]) as Input[]) {
      test(`${state} + ${input}`, () => {
        out.bits = -1
        expect(said(step(state, input))).toBe(table[state][input])
      })
    }
  }
}

describe('INVITE client: RFC 3261 §17.1.1, RFC 6026 §7.2', () => {
  const table: Table<InviteClientState, InviteClientInput> = {
    calling: {
      provisional: 'proceeding stopRetransmit startLifetime deliver',
      success: 'accepted stopRetransmit startLifetime deliver',
      failure: 'completed ack stopRetransmit startLifetime deliver',
      retransmitTimer: 'calling send backOff',
      lifetimeTimer: 'terminated reportTimeout',
      transportError: 'terminated reportTransport',
    },
    proceeding: {
      provisional: 'proceeding startLifetime deliver',
      success: 'accepted stopRetransmit startLifetime deliver',
      failure: 'completed ack stopRetransmit startLifetime deliver',
      retransmitTimer: 'proceeding',
      lifetimeTimer: 'completed cancel startLifetime reportTimeout',
      transportError: 'proceeding',
    },
    completed: {
      provisional: 'completed',
      success: 'accepted startLifetime deliver',
      failure: 'completed ack startLifetime',
      retransmitTimer: 'completed',
      lifetimeTimer: 'terminated',
      transportError: 'terminated',
    },
    accepted: {
      provisional: 'accepted',
      success: 'accepted deliver',
      failure: 'accepted',
      retransmitTimer: 'accepted',
      lifetimeTimer: 'terminated',
      transportError: 'accepted',
    },
    terminated: {
      provisional: 'terminated',
      success: 'terminated',
      failure: 'terminated',
      retransmitTimer: 'terminated',
      lifetimeTimer: 'terminated',
      transportError: 'terminated',
    },
  }
  verify(table, (state, input) => stepInviteClient(state, input, out))

  test('starts timers A and B; over TCP no timer A', () => {
    expect(said(startInviteClient(false, out))).toBe('calling send startRetransmit startLifetime')
    expect(said(startInviteClient(true, out))).toBe('calling send startLifetime')
  })

  test.each([
    ['calling', false, 30_000],
    ['proceeding', false, 120_000],
    ['completed', false, 5_000],
    ['completed', true, 0],
    ['accepted', false, 32_000],
    ['accepted', true, 32_000],
  ] as const)('%s, reliable %s: %d ms', (state, isReliable, ms) => {
    expect(inviteClientLifetime(state, defaultTimers, isReliable)).toBe(ms)
  })
})

describe('INVITE server: RFC 3261 §17.2.1, RFC 6026 §7.1', () => {
  const table: Table<InviteServerState, InviteServerInput> = {
    proceeding: {
      request: 'proceeding send',
      ack: 'proceeding',
      provisional: 'proceeding send',
      success: 'accepted send startLifetime',
      failure: 'completed send startRetransmit startLifetime',
      retransmitTimer: 'proceeding',
      lifetimeTimer: 'proceeding',
      transportError: 'proceeding reportTransport',
    },
    accepted: {
      request: 'accepted',
      ack: 'accepted',
      provisional: 'accepted refuse',
      success: 'accepted send',
      failure: 'accepted refuse',
      retransmitTimer: 'accepted',
      lifetimeTimer: 'terminated',
      transportError: 'accepted reportTransport',
    },
    completed: {
      request: 'completed send',
      ack: 'confirmed stopRetransmit startLifetime',
      provisional: 'completed refuse',
      success: 'completed refuse',
      failure: 'completed refuse',
      retransmitTimer: 'completed send backOff',
      lifetimeTimer: 'terminated reportNoAck',
      transportError: 'completed reportTransport',
    },
    confirmed: {
      request: 'confirmed',
      ack: 'confirmed',
      provisional: 'confirmed refuse',
      success: 'confirmed refuse',
      failure: 'confirmed refuse',
      retransmitTimer: 'confirmed',
      lifetimeTimer: 'terminated',
      transportError: 'confirmed',
    },
    terminated: {
      request: 'terminated',
      ack: 'terminated',
      provisional: 'terminated refuse',
      success: 'terminated refuse',
      failure: 'terminated refuse',
      retransmitTimer: 'terminated',
      lifetimeTimer: 'terminated',
      transportError: 'terminated',
    },
  }
  verify(table, (state, input) => stepInviteServer(state, input, false, out))

  test('over TCP a failure is not sent again (timer G)', () => {
    expect(said(stepInviteServer('proceeding', 'failure', true, out))).toBe('completed send startLifetime')
  })

  test.each([
    ['proceeding', false, Number.POSITIVE_INFINITY],
    ['completed', false, 32_000],
    ['completed', true, 32_000],
    ['accepted', false, 32_000],
    ['confirmed', false, 5_000],
    ['confirmed', true, 0],
  ] as const)('%s, reliable %s: %d ms', (state, isReliable, ms) => {
    expect(inviteServerLifetime(state, defaultTimers, isReliable)).toBe(ms)
  })
})

describe('non-INVITE client: RFC 3261 §17.1.2', () => {
  const beforeFinal = (state: 'trying' | 'proceeding') => ({
    provisional: 'proceeding deliver',
    final: 'completed stopRetransmit startLifetime deliver',
    retransmitTimer: `${state} send backOff`,
    lifetimeTimer: 'terminated reportTimeout',
    transportError: 'terminated reportTransport',
  })
  const table: Table<NonInviteClientState, NonInviteClientInput> = {
    trying: beforeFinal('trying'),
    proceeding: beforeFinal('proceeding'),
    completed: {
      provisional: 'completed',
      final: 'completed',
      retransmitTimer: 'completed',
      lifetimeTimer: 'terminated',
      transportError: 'completed',
    },
    terminated: {
      provisional: 'terminated',
      final: 'terminated',
      retransmitTimer: 'terminated',
      lifetimeTimer: 'terminated',
      transportError: 'terminated',
    },
  }
  verify(table, (state, input) => stepNonInviteClient(state, input, out))

  test('starts timers E and F; over TCP no timer E', () => {
    expect(said(startNonInviteClient(false, out))).toBe('trying send startRetransmit startLifetime')
    expect(said(startNonInviteClient(true, out))).toBe('trying send startLifetime')
  })

  test.each([
    ['trying', 500, 1_000],
    ['trying', 2_000, 4_000],
    ['trying', 4_000, 4_000],
    ['proceeding', 500, 4_000],
  ] as const)('timer E in %s after %d ms: %d ms', (state, before, after) => {
    expect(nextTimerE(state, before, defaultTimers)).toBe(after)
  })

  test.each([
    ['trying', 30_000],
    ['proceeding', 30_000],
    ['completed', 0],
  ] as const)('%s: %d ms', (state, ms) => {
    expect(nonInviteClientLifetime(state, defaultTimers)).toBe(ms)
  })
})

describe('non-INVITE server: RFC 3261 §17.2.2, RFC 4320', () => {
  const beforeFinal = (state: 'trying' | 'proceeding', onRequest: string) => ({
    request: onRequest,
    trying: 'proceeding send',
    forbidden: `${state} refuse`,
    final: 'completed send startLifetime',
    lateTimeout: 'completed startLifetime',
    lifetimeTimer: state,
    transportError: 'terminated reportTransport',
  })
  const table: Table<NonInviteServerState, NonInviteServerInput> = {
    trying: beforeFinal('trying', 'trying'),
    proceeding: beforeFinal('proceeding', 'proceeding send'),
    completed: {
      request: 'completed send',
      trying: 'completed refuse',
      forbidden: 'completed refuse',
      final: 'completed refuse',
      lateTimeout: 'completed refuse',
      lifetimeTimer: 'terminated',
      transportError: 'terminated reportTransport',
    },
    terminated: {
      request: 'terminated',
      trying: 'terminated refuse',
      forbidden: 'terminated refuse',
      final: 'terminated refuse',
      lateTimeout: 'terminated refuse',
      lifetimeTimer: 'terminated',
      transportError: 'terminated',
    },
  }
  verify(table, (state, input) => stepNonInviteServer(state, input, out))

  test.each([
    // RFC 4320 §4.1: a 100 only once the client's timer E has reached T2.
    [100, 0, false, 'forbidden'],
    [100, 3_499, false, 'forbidden'],
    [100, 3_500, false, 'trying'],
    [100, 0, true, 'trying'],
    [180, 10_000, false, 'forbidden'],
    [183, 0, true, 'forbidden'],
    [200, 0, false, 'final'],
    [699, 60_000, false, 'final'],
    // RFC 4320 §4.2: a 408 is of use only to a client that still waits.
    [408, 31_999, false, 'final'],
    [408, 32_000, false, 'lateTimeout'],
  ] as const)('a %d after %d ms (reliable: %s) is %s', (statusCode, ageMs, isReliable, input) => {
    expect(classifyResponse(statusCode, ageMs, defaultTimers, isReliable)).toBe(input)
  })

  test.each([
    ['trying', false, Number.POSITIVE_INFINITY],
    ['proceeding', false, Number.POSITIVE_INFINITY],
    ['completed', false, 5_000],
    ['completed', true, 0],
  ] as const)('%s, reliable %s: %d ms', (state, isReliable, ms) => {
    expect(nonInviteServerLifetime(state, defaultTimers, isReliable)).toBe(ms)
  })
})
