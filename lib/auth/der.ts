// As much of ASN.1 DER (X.690) as the names in a certificate need. Node prints them, in an order and with escapes that
// are not those of Go, by which nats-server's users are named.

export interface DerValue {
  readonly tag: number
  readonly content: Buffer
}

export const SEQUENCE = 0x30
export const BOOLEAN = 0x01
export const OCTET_STRING = 0x04
export const OBJECT_IDENTIFIER = 0x06

/**
 * The values that are one after the other in a buffer.
 *
 * @throws {RangeError} where it is no DER
 */
export function readDer (bytes: Buffer): DerValue[] {
  const values: DerValue[] = []
  for (let at = 0; at < bytes.length;) {
    const tag = bytes.readUInt8(at++)
    let length = bytes.readUInt8(at++)
    if (length >= 0x80) {
      const size = length & 0x7f
      length = bytes.readUIntBE(at, size)
      at += size
    }
    if (at + length > bytes.length) throw new RangeError('a value goes on behind its end')
    values.push({ tag, content: bytes.subarray(at, at + length) })
    at += length
  }
  return values
}

/** An object identifier as `2.5.4.3`. */
export function readObjectIdentifier (bytes: Buffer): string {
  const numbers: number[] = []
  let number = 0
  for (const byte of bytes) {
    number = number * 128 + (byte & 0x7f)
    if (byte < 0x80) {
      numbers.push(number)
      number = 0
    }
  }
  const [first = 0, ...rest] = numbers
  const top = Math.min(Math.floor(first / 40), 2)
  return [top, first - top * 40, ...rest].join('.')
}

/** The text of a string value; null for a value of another type. */
export function readString ({ tag, content }: DerValue): string | null {
  switch (tag) {
    case 0x0c: return content.toString('utf8')
    // NumericString, PrintableString, T61String, IA5String
    case 0x12: case 0x13: case 0x14: case 0x16: return content.toString('latin1')
    case 0x1e: return content.length % 2 === 0 ? Buffer.from(content).swap16().toString('utf16le') : null
  }
  return null
}
