import { type Binding, quoted, remainingSeconds } from '../../src/plugin/index.ts'

/** The Contact header of a 200 to REGISTER: RFC 3261 §10.3 step 8, in Kamailio's form. */
export interface ContactHeaderOptions {
  readonly now: number
  /** Name of the parameter that shows where the REGISTER came from; '' for none. */
  readonly receivedParam: string
  /** The address-of-record's URI `sip:user@host` if GRUUs are wanted (RFC 5627 §5.1), else ''. */
  readonly gruuOf: string
  readonly gruuHost: string
}

/** `Contact: <sip:a@b>;expires=3600, ...` with CRLF; '' without bindings. */
export function contactLine(bindings: readonly Binding[], options: ContactHeaderOptions): string {
  const [first] = bindings
  if (first === undefined) return ''
  let values = contactValue(first, options)
  for (let i = 1; i < bindings.length; i++) {
    const binding = bindings[i]
    if (binding !== undefined) values += `, ${contactValue(binding, options)}`
  }
  return `Contact: ${values}\r\n`
}

function contactValue(binding: Binding, options: ContactHeaderOptions): string {
  const value = plainValue(binding, options.now, options.receivedParam)
  if (binding.instance === '') return value
  return value + instanceParams(binding, options)
}

/** Of one binding without an instance: what nearly every answer has. */
export function plainContactLine(binding: PlainBinding, now: number, receivedParam: string): string {
  return `Contact: ${plainValue(binding, now, receivedParam)}\r\n`
}

type PlainBinding = Pick<Binding, 'contact' | 'q' | 'expiresAt' | 'received'>

function plainValue(binding: PlainBinding, now: number, receivedParam: string): string {
  const seconds = remainingSeconds(binding, now)
  const q = binding.q >= 0 ? `;q=${binding.q / 1000}` : ''
  const received =
    binding.received !== '' && receivedParam !== '' ? `;${receivedParam}=${quoted(binding.received)}` : ''
  return `<${binding.contact}>${q};expires=${Number.isFinite(seconds) ? seconds : 0xffffffff}${received}`
}

function instanceParams(binding: Binding, options: ContactHeaderOptions): string {
  let value = ''
  if (options.gruuOf !== '') {
    value += `;pub-gruu=${quoted(`${options.gruuOf};gr=${withoutBrackets(binding.instance)}`)}`
    value += `;temp-gruu=${quoted(`sip:${binding.ruid}@${options.gruuHost};gr`)}`
  }
  value += `;+sip.instance=${quoted(binding.instance)}`
  return binding.regId > 0 ? `${value};reg-id=${binding.regId}` : value
}

export function withoutBrackets(instance: string): string {
  return instance.startsWith('<') && instance.endsWith('>') ? instance.slice(1, -1) : instance
}
