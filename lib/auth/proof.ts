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

/**
 * Of nkey and JWT those that the client has proven to be its own, by signing the nonce; '' instead of the others. A JWT
 * then is what its issuer has signed, whoever that is. For hooks, where the gateway itself asks for neither.
 */
export function prove (options: Readonly<ConnectOptions>, nonce: string, now: number): Pick<ConnectOptions, 'nkey' | 'jwt'> {
  const { nkey, jwt, sig } = options
  return {
    nkey: nkey !== '' && holds(() => { checkSignature(nkey, sig, nonce) }) ? nkey : '',
    jwt: jwt !== '' && holds(() => {
      const decoded = decodeJwt(jwt, 'user')
      checkTime(decoded, now)
      checkSignature(decoded.subject, sig, nonce)
    })
      ? jwt
      : ''
  }
}
