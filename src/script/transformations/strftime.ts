/**
 * C's strftime in the C locale, on local time: what `{s.ftime,...}`, `$timef(...)` and `$utimef(...)` write.
 * A conversion that C does not have stays as it is written.
 */
export function strftime(format: string, date: Date, zone: 'local' | 'utc' = 'local'): string {
  const fields = zone === 'utc' ? utcFields(date) : localFields(date)
  return format.replace(
    /%([a-zA-Z%])/g,
    (written, conversion: string) => convert(conversion, fields) ?? written,
  )
}

interface Fields {
  year: number
  /** From 0. */
  month: number
  day: number
  /** From 0, Sunday. */
  weekday: number
  /** From 0. */
  yearday: number
  hour: number
  minute: number
  second: number
  unix: number
  /** Minutes east of Greenwich. */
  offset: number
  zone: string
}

const weekdays = ['Sunday', 'Monday', 'Tuesday', 'Wednesday', 'Thursday', 'Friday', 'Saturday']
const months = [
  'January',
  'February',
  'March',
  'April',
  'May',
  'June',
  'July',
  'August',
  'September',
  'October',
  'November',
  'December',
]

function convert(conversion: string, f: Fields): string | null {
  switch (conversion) {
    case 'a':
      return weekdayName(f).slice(0, 3)
    case 'A':
      return weekdayName(f)
    case 'b':
    case 'h':
      return monthName(f).slice(0, 3)
    case 'B':
      return monthName(f)
    case 'c':
      return `${convert('a', f)} ${convert('b', f)} ${padded(f.day, 2, ' ')} ${convert('T', f)} ${f.year}`
    case 'C':
      return padded(Math.floor(f.year / 100), 2)
    case 'd':
      return padded(f.day, 2)
    case 'D':
    case 'x':
      return `${padded(f.month + 1, 2)}/${padded(f.day, 2)}/${padded(f.year % 100, 2)}`
    case 'e':
      return padded(f.day, 2, ' ')
    case 'F':
      return `${f.year}-${padded(f.month + 1, 2)}-${padded(f.day, 2)}`
    case 'g':
      return padded(isoWeek(f).year % 100, 2)
    case 'G':
      return String(isoWeek(f).year)
    case 'H':
      return padded(f.hour, 2)
    case 'I':
      return padded(f.hour % 12 || 12, 2)
    case 'j':
      return padded(f.yearday + 1, 3)
    case 'k':
      return padded(f.hour, 2, ' ')
    case 'l':
      return padded(f.hour % 12 || 12, 2, ' ')
    case 'm':
      return padded(f.month + 1, 2)
    case 'M':
      return padded(f.minute, 2)
    case 'n':
      return '\n'
    case 'p':
      return f.hour < 12 ? 'AM' : 'PM'
    case 'P':
      return f.hour < 12 ? 'am' : 'pm'
    case 'r':
      return `${convert('I', f)}:${padded(f.minute, 2)}:${padded(f.second, 2)} ${convert('p', f)}`
    case 'R':
      return `${padded(f.hour, 2)}:${padded(f.minute, 2)}`
    case 's':
      return String(f.unix)
    case 'S':
      return padded(f.second, 2)
    case 't':
      return '\t'
    case 'T':
    case 'X':
      return `${padded(f.hour, 2)}:${padded(f.minute, 2)}:${padded(f.second, 2)}`
    case 'u':
      return String(f.weekday || 7)
    case 'U':
      return padded(Math.floor((f.yearday + 7 - f.weekday) / 7), 2)
    case 'V':
      return padded(isoWeek(f).week, 2)
    case 'w':
      return String(f.weekday)
    case 'W':
      return padded(Math.floor((f.yearday + 7 - ((f.weekday + 6) % 7)) / 7), 2)
    case 'y':
      return padded(f.year % 100, 2)
    case 'Y':
      return String(f.year)
    case 'z':
      return offsetText(f.offset)
    case 'Z':
      return f.zone
    case '%':
      return '%'
    default:
      return null
  }
}

const weekdayName = (f: Fields): string => weekdays[f.weekday] ?? ''
const monthName = (f: Fields): string => months[f.month] ?? ''

function padded(number: number, width: number, fill = '0'): string {
  return String(number).padStart(width, fill)
}

function offsetText(minutes: number): string {
  const size = Math.abs(minutes)
  return `${minutes < 0 ? '-' : '+'}${padded(Math.floor(size / 60), 2)}${padded(size % 60, 2)}`
}

/** ISO 8601: the week belongs to the year that its Thursday lies in. */
function isoWeek(f: Fields): { year: number; week: number } {
  const thursday = f.yearday + 3 - ((f.weekday + 6) % 7)
  if (thursday < 0) return { year: f.year - 1, week: Math.floor((thursday + daysIn(f.year - 1)) / 7) + 1 }
  if (thursday >= daysIn(f.year)) return { year: f.year + 1, week: 1 }
  return { year: f.year, week: Math.floor(thursday / 7) + 1 }
}

function daysIn(year: number): number {
  return (year % 4 === 0 && year % 100 !== 0) || year % 400 === 0 ? 366 : 365
}

function localFields(date: Date): Fields {
  const startOfYear = Date.UTC(date.getFullYear(), 0, 1)
  const today = Date.UTC(date.getFullYear(), date.getMonth(), date.getDate())
  return {
    year: date.getFullYear(),
    month: date.getMonth(),
    day: date.getDate(),
    weekday: date.getDay(),
    yearday: Math.round((today - startOfYear) / 86_400_000),
    hour: date.getHours(),
    minute: date.getMinutes(),
    second: date.getSeconds(),
    unix: Math.floor(date.getTime() / 1000),
    offset: -date.getTimezoneOffset(),
    zone: zoneName(date),
  }
}

function utcFields(date: Date): Fields {
  const startOfYear = Date.UTC(date.getUTCFullYear(), 0, 1)
  return {
    year: date.getUTCFullYear(),
    month: date.getUTCMonth(),
    day: date.getUTCDate(),
    weekday: date.getUTCDay(),
    yearday: Math.floor((date.getTime() - startOfYear) / 86_400_000),
    hour: date.getUTCHours(),
    minute: date.getUTCMinutes(),
    second: date.getUTCSeconds(),
    unix: Math.floor(date.getTime() / 1000),
    offset: 0,
    zone: 'GMT',
  }
}

function zoneName(date: Date): string {
  const parts = new Intl.DateTimeFormat('en-US', { timeZoneName: 'short' }).formatToParts(date)
  return parts.find((part) => part.type === 'timeZoneName')?.value ?? ''
}
