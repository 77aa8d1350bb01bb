import type { ConnectOptions } from '../wire/connect.ts'
import { refusal } from './claim-set.ts'
import { checkTime, decodeJwt } from './jwt.ts'
import { decodeSignature, isSignedBy } from './nkey.ts'

/**
 * Whether a user has signed the nonce of this connection.
 *
 * @throws {NatsError} NATS_ERR_AUTHORIZATION where not
 */
export function checkSignature (publicKey: string, text: string, nonce: string): void {
  if (text === '') throw refusal('CONNECT has no signature')
  const signature = decodeSignature(text)
  if (signature === null) throw refusal('the signature is no base64')
  if (!isSignedBy(publicKey, 'user', nonce, signature)) throw refusal('the signature is not that of the nonce by the user')
}

function holds (check: () => void): boolean {
  try {
    check()
    return true
  } catch {
    return false
  }
}

/** What a client has proven to be its own by signing the nonce; '' instead of the rest. */
export interface Proof {
  readonly nkey: string
  /** It then is what its issuer has signed, whoever that is. */
  readonly jwt: string
  /** The public key of the client. */
  readonly key: string
}

/** For hooks, where the gateway itself asks for neither nkey nor JWT. */
export function prove (options: Readonly<ConnectOptions>, nonce: string, now: number): Proof {
  const { nkey, jwt, sig } = options
  const ownsKey = nkey !== '' && holds(() => { checkSignature(nkey, sig, nonce) })
  const subject = jwt === '' ? '' : subjectOf(jwt, sig, nonce, now)
  return { nkey: ownsKey ? nkey : '', jwt: subject === '' ? '' : jwt, key: ownsKey ? nkey : subject }
}

/** The user of a JWT who has signed the nonce; '' if it is not valid, or not signed. */
function subjectOf (jwt: string, sig: string, nonce: string, now: number): string {
  try {
    const decoded = decodeJwt(jwt, 'user')
    checkTime(decoded, now)
    checkSignature(decoded.subject, sig, nonce)
    return decoded.subject
  } catch {
    return ''
  }
}
