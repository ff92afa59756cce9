import { ArgumentProblem } from '../../src/plugin/index.ts'

/** What tells us that nobody, or somebody else, is at the other end of a flow: parameter forget_on. */
export interface ForgetOn {
  readonly statuses: ReadonlySet<number>
  readonly timeout: boolean
  readonly icmp: boolean
}

export function readForgetOn(text: string): ForgetOn {
  const statuses = new Set<number>()
  let timeout = false
  let icmp = false
  for (const word of text.split(/[,|\s]+/)) {
    if (word === 'timeout') timeout = true
    else if (word === 'icmp') icmp = true
    else if (/^[3-6]\d\d$/.test(word)) statuses.add(Number(word))
    else if (word !== '')
      throw new ArgumentProblem(`'${word}' is no status, timeout or icmp`, '404,481,timeout,icmp')
  }
  return { statuses, timeout, icmp }
}

/** Errors that say something about us, not about the other end. */
const localErrors: ReadonlySet<string> = new Set([
  'EMSGSIZE',
  'EPERM',
  'EACCES',
  'ENOBUFS',
  'ENOMEM',
  'EINVAL',
  'EBADF',
  'EAGAIN',
  'ENETDOWN',
])

export function isLocalError(code: string): boolean {
  return localErrors.has(code)
}
