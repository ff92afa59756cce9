import type { ScriptRun } from '../route-context.ts'
import { strftime } from '../transformations/strftime.ts'
import { type CoreVariables, int, oneOf, text } from './variable.ts'

/** Measured on Kamailio 5.6.3: months, week days and days of the year count from 1. */
const fields: Readonly<Record<string, string>> = {
  sec: '%S',
  min: '%M',
  hour: '%H',
  mday: '%d',
  mon: '%m',
  year: '%Y',
  yday: '%j',
}

/** Wall time as the message sees it: it stands still for one run. */
export const timeVariables: CoreVariables = {
  TS: int('Unix time of the message in seconds.', (run) => seconds(run), { aliases: ['Ts'] }),
  Tf: text('Time of the message as text.', (run) => strftime(asctime, new Date(run.wall)), {
    aliases: ['TF'],
  }),
  Tb: int('Unix time when the router started.', (run) => Math.floor(run.surroundings.startedWall / 1000)),
  TV: {
    type: 'string',
    inner: 'name',
    prepare: oneOf('TV', ['s', 'u', 'sn', 'un', 'Sn']),
    doc: 'Seconds (s) and microseconds (u) of the message’s time; sn, un: of the present; Sn: seconds.microseconds.',
    read: (run, inner) => timeOfDay(run, String(inner)),
  },
  time: dateField('Local time: sec, min, hour, mday, mon, year, wday, yday, isdst.', 'local'),
  utime: dateField('UTC: sec, min, hour, mday, mon, year, wday, yday, isdst.', 'utc'),
  timef: formatted('Local time in a strftime format.', 'local'),
  utimef: formatted('UTC in a strftime format.', 'utc'),
  localtime: dateField('As $time.', 'local'),
}

const asctime = '%a %b %e %H:%M:%S %Y'

function seconds(run: ScriptRun): number {
  return Math.floor(run.wall / 1000)
}

function timeOfDay(run: ScriptRun, part: string): string {
  const isNow = part === 'sn' || part === 'Sn'
  const wall = isNow ? run.surroundings.services.clock.wall() : run.wall
  const whole = String(Math.floor(wall / 1000))
  const micro = String(Math.floor((wall % 1000) * 1000))
  if (part === 's' || part === 'sn') return whole
  return part === 'Sn' ? `${whole}.${micro.padStart(6, '0')}` : micro
}

type Zone = 'local' | 'utc'

function dateField(doc: string, zone: Zone) {
  return {
    type: 'int',
    inner: 'name',
    prepare: oneOf('time', [...Object.keys(fields), 'wday', 'isdst']),
    doc,
    read(run: ScriptRun, inner: unknown): number {
      const name = String(inner)
      const date = new Date(run.wall)
      if (name === 'wday') return (zone === 'utc' ? date.getUTCDay() : date.getDay()) + 1
      if (name === 'isdst') return zone === 'utc' ? 0 : isSummerTime(date)
      return Number(strftime(fields[name] ?? '', date, zone))
    },
  } as const
}

function isSummerTime(date: Date): number {
  const year = date.getFullYear()
  const winter = Math.max(new Date(year, 0, 1).getTimezoneOffset(), new Date(year, 6, 1).getTimezoneOffset())
  return date.getTimezoneOffset() < winter ? 1 : 0
}

function formatted(doc: string, zone: Zone) {
  return {
    type: 'string',
    inner: 'name',
    doc,
    read: (run: ScriptRun, inner: unknown) => strftime(String(inner), new Date(run.wall), zone),
  } as const
}
