const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567'

/** The first byte of a public key, by whom it names; the letter is what base32 makes of it. */
const prefixes = { account: 0, user: 20 << 3 } as const

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

/** Whether a text is a public nkey: a prefix byte, 32 bytes of Ed25519 key and a checksum, in base32. */
export function isPublicKey (text: string, of: keyof typeof prefixes): boolean {
  if (!/^[A-Z2-7]{56}$/.test(text)) return false
  const bytes = decodeBase32(text)
  return bytes[0] === prefixes[of] && crc16(bytes.subarray(0, 33)) === bytes.readUInt16LE(33)
}
