/** A header block of these lines. */
export function block (...lines: readonly string[]): string {
  return `NATS/1.0\r\n${lines.map((line) => `${line}\r\n`).join('')}\r\n`
}

/** HPUB with a header block. All is latin1 text. */
export function hpub (subject: string, header: string, payload: string, reply = ''): string {
  return `HPUB ${subject} ${reply === '' ? '' : `${reply} `}${header.length} ${header.length + payload.length}\r\n${header}${payload}\r\n`
}

/** HMSG, or MSG without a header block. All is latin1 text. */
export function msg (subject: string, sid: string, payload: string, header = '', reply = ''): string {
  const name = `MSG ${subject} ${sid} ${reply === '' ? '' : `${reply} `}`
  return header === ''
    ? `${name}${payload.length}\r\n${payload}\r\n`
    : `H${name}${header.length} ${header.length + payload.length}\r\n${header}${payload}\r\n`
}

/** The frames of a text, sorted. */
export function sorted (text: string): string[] {
  return text.split(/(?=^(?:H?MSG|-ERR|\+OK) )/m).filter((frame) => frame !== '').sort()
}
