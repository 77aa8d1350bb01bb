import { createPublicKey, randomBytes, verify } from 'node:crypto'

const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567'

/** The first byte of a public key, by whom it names; the letter is what base32 makes of it. */
const prefixes = { account: 0, operator: 14 << 3, user: 20 << 3 } as const

export type KeyOwner = keyof typeof prefixes

function decodeBase32 (text: string): Buffer {
  const bytes: number[] = []
  let bits = 0
  let count = 0
  for (const letter of text) {
    bits = ((bits << 5) | alphabet.indexOf(letter)) & 0xfff
    count += 5
    if (count < 8) continue
    count -= 8
    bytes.push((bits >> count) & 0xff)
  }
  return Buffer.from(bytes)
}

/** CRC-16/XMODEM. */
function crc16 (bytes: Buffer): number {
  let crc = 0
  for (const byte of bytes) {
    crc ^= byte << 8
    for (let bit = 0; bit < 8; bit++) crc = ((crc & 0x8000) === 0 ? crc << 1 : (crc << 1) ^ 0x1021) & 0xffff
  }
  return crc
}

/** The 32 bytes of an Ed25519 key; null when the text is no public key of such an owner. */
function decodeKey (text: string, of: KeyOwner): Buffer | null {
  if (!/^[A-Z2-7]{56}$/.test(text)) return null
  const bytes = decodeBase32(text)
  return bytes[0] === prefixes[of] && crc16(bytes.subarray(0, 33)) === bytes.readUInt16LE(33) ? bytes.subarray(1, 33) : null
}

/** Whether a text is a public nkey: a prefix byte, 32 bytes of Ed25519 key and a checksum, in base32. */
export function isPublicKey (text: string, of: KeyOwner): boolean {
  return decodeKey(text, of) !== null
}

/** Whether a text looks like a seed, which is secret: somebody has taken it for a public key or a name. */
export function isSeed (text: string): boolean {
  return /^S[A-Z][A-Z2-7]{56}$/.test(text)
}

// RFC 8410: SubjectPublicKeyInfo of Ed25519, before the key.
const spkiHeader = Buffer.from('302a300506032b6570032100', 'hex')

/**
 * Whether `signature` is that of `data` (UTF-8) by the owner of a public nkey. By OpenSSL: tweetnacl, which the official
 * nkeys library uses, holds the event loop for 13 ms each, twenty times as long.
 */
export function isSignedBy (publicKey: string, of: KeyOwner, data: string, signature: Buffer): boolean {
  const bytes = decodeKey(publicKey, of)
  if (bytes === null) return false
  const key = createPublicKey({ key: Buffer.concat([spkiHeader, bytes]), format: 'der', type: 'spki' })
  return verify(null, Buffer.from(data), key, signature)
}

/** Decodes base64 as Go's RawURLEncoding does: no padding, no other letters; null otherwise. */
export function decodeBase64Url (text: string): Buffer | null {
  return /^[\w-]*$/.test(text) && text.length % 4 !== 1 ? Buffer.from(text, 'base64url') : null
}

/** The signature of a CONNECT: base64url without padding, or standard base64 with it (server/auth.go). */
export function decodeSignature (text: string): Buffer | null {
  if (/^[\w-]*$/.test(text)) return decodeBase64Url(text)
  return /^[A-Za-z0-9+/]*={0,2}$/.test(text) && text.length % 4 === 0 ? Buffer.from(text, 'base64') : null
}

/** What a client of this connection has to sign: 11 random bytes as 15 characters (server/nkey.go). */
export function createNonce (): string {
  return randomBytes(11).toString('base64url')
}
