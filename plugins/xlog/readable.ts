const decoder = new TextDecoder('utf-8', { fatal: true })

/**
 * Messages and scripts are octets, one Latin-1 character each; people read UTF-8. Text that is UTF-8 is shown as
 * such, all other octets stay the characters they are.
 */
export function readable(text: string): string {
  if (!/[\x80-\xff]/.test(text)) return text
  try {
    return decoder.decode(Buffer.from(text, 'latin1'))
  } catch {
    return text
  }
}
