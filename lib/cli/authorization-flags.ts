import { NatsError } from '../errors.ts'
import type { AuthorizationOption } from '../options/authorization.ts'
import type { FlagValues } from './flags.ts'

/**
 * The option `authorization` of the configuration file, with the single user or token of the flags in the place of its own.
 *
 * @throws {NatsError} NATS_ERR_CONFIG
 */
export function authorizationOf (file: AuthorizationOption | null, given: FlagValues): AuthorizationOption | null {
  const { user, pass, auth: token } = given
  if (!user && !pass && !token) return file
  const lists = [file?.users, file?.accounts, file?.operators, file?.trustedKeys]
  if (lists.some((list) => list != null && list.length > 0)) {
    throw new NatsError('NATS_ERR_CONFIG', '--user, --pass and --auth exclude the users, accounts and operators of the configuration file')
  }
  return {
    ...file,
    user: user || (token ? null : file?.user) || null,
    pass: pass || (token ? null : file?.pass) || null,
    token: token || (user || pass ? null : file?.token) || null
  }
}
