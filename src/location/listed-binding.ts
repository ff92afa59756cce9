import type { Binding, Origin, Trust } from './binding.ts'

/**
 * A binding outside of a router: as a file says it, in wall time. What a format cannot say is absent: then the importer
 * fills it in.
 */
export interface ListedBinding {
  readonly aor: string
  readonly ruid: string
  readonly contact: string
  readonly received: string
  readonly path: readonly string[]
  /** Milliseconds since 1970; Infinity for never. */
  readonly expires: number
  readonly modified: number
  /** 0 to 1000; -1 if it was not given. */
  readonly q: number
  readonly callId: string
  readonly cseq: number
  readonly flags: number
  readonly branchFlags: number
  readonly userAgent: string
  readonly socket: string
  readonly methods: number
  readonly instance: string
  readonly regId: number
  readonly origin: Origin
  readonly trust: Trust
  readonly by: string
  /** `udp:192.0.2.1:5060 198.51.100.7:4711`: the flow that it hangs on; '' for none. */
  readonly flow: string
}

/** What a reader gives: bindings, and what it could not read, with its line. */
export type Listed =
  | { readonly kind: 'binding'; readonly line: number; readonly binding: ListedBinding }
  | { readonly kind: 'fault'; readonly line: number; readonly reason: string }

export function listedOf(binding: Binding, toWall: number): ListedBinding {
  const { flow, expiresAt, modifiedAt, ...rest } = binding
  return {
    aor: rest.aor,
    ruid: rest.ruid,
    contact: rest.contact,
    received: rest.received,
    path: rest.path,
    expires: Math.round(expiresAt + toWall),
    modified: Math.round(modifiedAt + toWall),
    q: rest.q,
    callId: rest.callId,
    cseq: rest.cseq,
    flags: rest.flags,
    branchFlags: rest.branchFlags,
    userAgent: rest.userAgent,
    socket: rest.socket,
    methods: rest.methods,
    instance: rest.instance,
    regId: rest.regId,
    origin: rest.origin,
    trust: rest.trust,
    by: rest.by,
    flow: flow === null ? '' : `${flow.flow.socket.label} ${flow.flow.address}:${flow.flow.port}`,
  }
}
