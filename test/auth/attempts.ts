import type { KeyPair } from '@nats-io/nkeys'
import type { Attempt, ListenerRules } from '../../lib/auth/attempt.ts'
import { Authenticator, type Outcome } from '../../lib/auth/authenticator.ts'
import type { Identity } from '../../lib/auth/identity.ts'
import { NatsError } from '../../lib/errors.ts'
import type { AuthorizationOption } from '../../lib/options/authorization.ts'
import { type ConnectOptions, defaultConnectOptions } from '../../lib/wire/connect.ts'

export const tcp: ListenerRules = { connectionType: 'STANDARD', verifyAndMap: false, credentials: null, timeout: null }
export const websocket: ListenerRules = { connectionType: 'WEBSOCKET', verifyAndMap: false, credentials: null, timeout: null }
export const nonce = 'abcDEF_123-xyzQ'

export function attempt (options: Partial<ConnectOptions> = {}, rest: Partial<Attempt> = {}): Attempt {
  return { listener: tcp, options: { ...defaultConnectOptions, ...options }, nonce, certificate: null, address: '127.0.0.1', meetsHooks: false, before: null, isOpen: () => true, ...rest }
}

/** A signature as clients send it. */
export function sign (key: KeyPair, text = nonce): string {
  return Buffer.from(key.sign(Buffer.from(text))).toString('base64url')
}

export function authenticator (option: AuthorizationOption | null, listeners: readonly ListenerRules[] = [tcp, websocket], now?: () => number): Authenticator {
  return new Authenticator(option, listeners, now)
}

/** Who somebody is, or the reason of the refusal that the client knows nothing of. */
export async function outcome (of: Outcome | Promise<Outcome>): Promise<Identity | string> {
  const result = await of
  if (!(result instanceof NatsError)) return result
  if (result.wire !== 'Authorization Violation' || !result.fatal) throw result
  return result.message.replace('authorization violation: ', '')
}

/** The message of the error about an option, without what is the same in all. */
export function wrongOption (option: unknown, listeners?: readonly ListenerRules[]): string {
  try {
    authenticator(option as AuthorizationOption, listeners)
  } catch (error) {
    if (error instanceof NatsError && error.code === 'NATS_ERR_OPTION') return error.message.replace("option 'authorization", "'")
    throw error
  }
  return 'nothing'
}
