import { type Account, Algorithms, encodeAccount, encodeOperator, encodeUser, type User } from '@nats-io/jwt'
import { createAccount, createOperator, createUser, type KeyPair } from '@nats-io/nkeys'
import type { AuthorizationOption } from '../../lib/options/authorization.ts'

export const second = (): number => Math.floor(Date.now() / 1000)

const unlimited = { subs: -1, data: -1, payload: -1, imports: -1, exports: -1, wildcards: true, conn: -1, leaf: -1 }

/** Keys and JWTs of an operator, an account of it and a user of that. */
export class Chain {
  readonly operator = createOperator()
  readonly account = createAccount()
  readonly user = createUser()
  accountJwt = ''
  operatorJwt = ''

  static async create (account: Partial<Account> = {}, dates: { exp?: number, nbf?: number } = {}): Promise<Chain> {
    const chain = new Chain()
    chain.operatorJwt = await encodeOperator('O', chain.operator)
    chain.accountJwt = await chain.encodeAccount(account, dates)
    return chain
  }

  async encodeAccount (account: Partial<Account>, dates: { exp?: number, nbf?: number } = {}, signer: KeyPair = this.operator): Promise<string> {
    return await encodeAccount('A', this.account, { limits: unlimited, ...account }, { algorithm: Algorithms.v2, signer, ...dates })
  }

  async encodeUser (user: Partial<User> = {}, dates: { exp?: number, nbf?: number } = {}): Promise<string> {
    return await encodeUser('N', this.user, this.account, user, { algorithm: Algorithms.v2, ...dates })
  }

  /** Signed by a signing key of the account. */
  async encodeSigned (signer: KeyPair, user: Partial<User> = {}, scopedUser = false): Promise<string> {
    return await encodeUser('N', this.user, this.account, user, { algorithm: Algorithms.v2, signer, scopedUser })
  }

  get option (): AuthorizationOption {
    return { operators: [this.operatorJwt], resolverPreload: { [this.account.getPublicKey()]: this.accountJwt } }
  }
}

/** A JWT of any claims, signed by any key. */
export function forge (claims: Record<string, unknown>, signer: KeyPair, header: unknown = { typ: 'JWT', alg: 'ed25519-nkey' }): string {
  const encode = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url')
  const text = `${encode(header)}.${encode({ iss: signer.getPublicKey(), iat: second(), ...claims })}`
  return `${text}.${Buffer.from(signer.sign(Buffer.from(text))).toString('base64url')}`
}
