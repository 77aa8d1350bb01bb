import { refusal } from './claim-set.ts'
import { decodeJwt } from './jwt.ts'
import { isPublicKey } from './nkey.ts'

/** What an operator JWT says. */
export interface Operator {
  /** What signs its accounts. */
  readonly keys: readonly string[]
  /** Whether accounts' own keys must not sign users (`strict_signing_key_usage`). */
  readonly isStrict: boolean
}

/** Reads an operator JWT. @throws {NatsError} NATS_ERR_AUTHORIZATION with what is wrong */
export function readOperator (token: string): Operator {
  const { subject, nats } = decodeJwt(token, 'operator')
  const signingKeys = nats.texts('signing_keys')
  const isStrict = nats.flag('strict_signing_key_usage')
  if (![subject, ...signingKeys].every((key) => isPublicKey(key, 'operator'))) throw refusal('the JWT has a key that is none of an operator')
  return { keys: isStrict ? signingKeys : [subject, ...signingKeys], isStrict }
}
