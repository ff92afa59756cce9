import { createHmac, timingSafeEqual } from 'node:crypto'

/**
 * What a request carries that is to go through another edge's flow (docs/decisions/0025-edges.md): the user part of a Route
 * or Record-Route that names that edge, as RFC 5626 §5.2 has it. It names a binding, says what may be done with it, and is
 * signed together with the Call-ID: nobody but an edge can write it, and it is good for that one dialog.
 *
 *     flow.r.Zn0cGkAJhM1NDqnYzZ9uUg.uloc-4f1a9c33b2d0-1a-5d3c9e10
 *          |           |                  `-- the binding, by its ruid
 *          |           `-- 128 bits of HMAC-SHA-256
 *          `-- the kind
 */
export type TokenKind = keyof typeof letters

const letters = {
  /** Written by the edge that was asked: take this to the binding. */
  request: 'r',
  /** In Record-Route, on the side of the others: who comes with it wants to get to the device. */
  inward: 'i',
  /** In Record-Route, on the side of the device: who comes with it comes from there. */
  outward: 'o',
} as const

export interface Token {
  readonly ruid: string
  readonly kind: TokenKind
}

export function mintToken(secret: Buffer, { ruid, kind, callId }: Token & { callId: string }): string {
  const name = encodeURIComponent(ruid)
  const letter = letters[kind]
  return `${prefix}${letter}.${signatureOf(secret, letter, name, callId)}.${name}`
}

/** Null if no edge has written it for this Call-ID. */
export function readToken(secret: Buffer, text: string, callId: string): Token | null {
  const parts = shape.exec(text)
  if (parts === null) return null
  const [, letter = '', claimed = '', name = ''] = parts
  const signature = signatureOf(secret, letter, name, callId)
  if (!timingSafeEqual(Buffer.from(claimed, 'latin1'), Buffer.from(signature, 'latin1'))) return null
  const kind = kinds.get(letter)
  return kind === undefined ? null : { ruid: decodeURIComponent(name), kind }
}

/** Whether it wants to be a token, whoever wrote it: cheap, for what comes with every request in a dialog. */
export function isLikeToken(text: string): boolean {
  return text.startsWith(prefix)
}

const prefix = 'flow.'

/** The longest name that is looked at: ours have 40 characters, those of a database may be longer. */
const shape = /^flow\.([a-z])\.([\w-]{22})\.([\w.!~*'()%-]{1,255})$/

const kinds = new Map(Object.entries(letters).map(([kind, letter]) => [letter as string, kind as TokenKind]))

/** 16 octets as 22 characters. No letter and no name contains a line feed, so that no field can lend to the next. */
function signatureOf(secret: Buffer, letter: string, name: string, callId: string): string {
  return createHmac('sha256', secret)
    .update(`edge-token\n${letter}\n${name}\n${callId}`, 'latin1')
    .digest()
    .toString('base64url', 0, 16)
}
