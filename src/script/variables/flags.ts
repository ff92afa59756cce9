import type { ScriptRun } from '../route-context.ts'
import { type CoreVariable, type CoreVariables, toInt } from './variable.ts'

/** Message, branch and script flags: thirty-two bits as a number ($mf) and as eight hexadecimal digits ($mF). */
export const flagVariables: CoreVariables = {
  mf: asNumber('Message flags, which live as long as the transaction.', messageFlags, setMessageFlags),
  mF: asDigits('Message flags as hexadecimal digits.', messageFlags, setMessageFlags),
  bf: asNumber(
    'Flags of the Request-URI’s branch, in a branch route of that branch.',
    branchFlags,
    setBranchFlags,
  ),
  bF: asDigits('Branch flags as hexadecimal digits.', branchFlags, setBranchFlags),
  sf: asNumber('Script flags, which live for one run of a route.', scriptFlags, setScriptFlags),
  sF: asDigits('Script flags as hexadecimal digits.', scriptFlags, setScriptFlags),
}

function messageFlags(run: ScriptRun): number {
  return run.scope.flags
}

function setMessageFlags(run: ScriptRun, flags: number): void {
  run.scope.flags = flags
}

function branchFlags(run: ScriptRun): number {
  return run.target.flags
}

function setBranchFlags(run: ScriptRun, flags: number): void {
  run.target.flags = flags
}

function scriptFlags(run: ScriptRun): number {
  return run.scriptFlags
}

function setScriptFlags(run: ScriptRun, flags: number): void {
  run.scriptFlags = flags
}

type Get = (run: ScriptRun) => number
type Set = (run: ScriptRun, flags: number) => void

function asNumber(doc: string, get: Get, set: Set): CoreVariable {
  return { type: 'int', assignable: true, doc, read: (run) => get(run) >>> 0, write: writer(set) }
}

function asDigits(doc: string, get: Get, set: Set): CoreVariable {
  return {
    type: 'string',
    assignable: true,
    doc,
    read: (run) => (get(run) >>> 0).toString(16).padStart(8, '0'),
    write: writer(set),
  }
}

function writer(set: Set): NonNullable<CoreVariable['write']> {
  return (run, value) => {
    const flags = value === null ? 0 : toInt(value)
    if (flags === null) return false
    set(run, flags | 0)
    return true
  }
}
