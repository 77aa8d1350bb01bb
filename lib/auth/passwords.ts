import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto'
import { compareBcrypt } from './bcrypt.ts'

/** Whether a configured password or token is a bcrypt hash (server/auth.go validBcryptPrefix). */
export function isBcrypt (configured: string): boolean {
  return /^\$2[abxy]\$\d{2}\$/.test(configured)
}

const key = randomBytes(32)

function digest (text: string): Buffer {
  return createHmac('sha256', key).update(text).digest()
}

/** Whether two plain texts are the same, in a time that tells nothing of either, nor of their lengths. */
export function isSame (one: string, other: string): boolean {
  return timingSafeEqual(digest(one), digest(other))
}

/** Whether `given` is the configured password or token, which is plain or a bcrypt hash (server/auth.go comparePasswords). */
export function matchesPassword (configured: string, given: string, isWanted: () => boolean): boolean | Promise<boolean> {
  return isBcrypt(configured) ? compareBcrypt(given, configured, isWanted) : isSame(configured, given)
}
