// Who may connect, and to what: the shape of the option `authorization`. It follows nats-server's configuration file,
// whose meaning it has; null is the same as absent. What it must hold beyond its shape, lib/auth checks.

/** Subjects, with or without wildcards; for subscribing also a subject, a blank and a queue group (`'foo.* workers.*'`). */
export type SubjectList = string | readonly string[]

/** What `allow` has (absent: everything; `[]`: nothing), except what `deny` has. A list alone is `allow`. */
export type SubjectPermissionOption = SubjectList | {
  readonly allow?: SubjectList | null
  readonly deny?: SubjectList | null
}

export interface PermissionsOption {
  readonly publish?: SubjectPermissionOption | null
  readonly subscribe?: SubjectPermissionOption | null
  /**
   * Lets a client answer to the reply subject of a message it got, although `publish` does not allow it: `max` answers
   * (default 1) within `expires` milliseconds (default 120,000); 0 is the default, negative no limit. With it and
   * without `publish.allow`, answers are all that a client may publish.
   */
  readonly responses?: boolean | { readonly max?: number | null, readonly expires?: number | null } | null
}

export type ConnectionType = 'STANDARD' | 'WEBSOCKET' | 'LEAFNODE' | 'LEAFNODE_WS' | 'MQTT' | 'MQTT_WS' | 'IN_PROCESS'

interface RightsOption {
  /** Absent allows everything, unless there are default permissions. */
  readonly permissions?: PermissionsOption | null
  /** How the user may connect; absent or empty is any way. */
  readonly connectionTypes?: readonly ConnectionType[] | null
}

export interface PasswordUserOption extends RightsOption {
  /** With `verifyAndMap` also the e-mail address, DNS name, URI or subject of a client certificate. */
  readonly user: string
  /** Plain, or bcrypt if it begins like `$2a$10$`. */
  readonly pass?: string | null
}

export interface NkeyUserOption extends RightsOption {
  /** The public key of the user, who signs the nonce of INFO. */
  readonly nkey: string
}

export type UserOption = PasswordUserOption | NkeyUserOption

export interface AccountOption {
  readonly name: string
  readonly users?: readonly UserOption[] | null
  /** For users of this account that have none of their own. */
  readonly defaultPermissions?: PermissionsOption | null
}

/** A single user, or a token: plain or bcrypt. */
export interface CredentialsOption {
  readonly user?: string | null
  readonly pass?: string | null
  readonly token?: string | null
  /** The user that a client without any credentials is. */
  readonly noAuthUser?: string | null
}

/** What a listener may have of its own. */
export interface ListenerAuthorizationOption extends CredentialsOption {
  /** Milliseconds that a client may take to send CONNECT. */
  readonly timeout?: number | null
}

export interface AuthorizationOption extends ListenerAuthorizationOption {
  readonly users?: readonly UserOption[] | null
  readonly accounts?: readonly AccountOption[] | null
  /** For users that have none of their own. */
  readonly defaultPermissions?: PermissionsOption | null
  /** Operator mode: the JWTs of operators whose accounts' users may connect, with their user JWT and nothing else. */
  readonly operators?: readonly string[] | null
  /** Operator mode without the JWT of an operator: the public keys that sign account JWTs. */
  readonly trustedKeys?: readonly string[] | null
  /** Operator mode: the JWT of each account by its public key (nats-server's `resolver: MEMORY`). */
  readonly resolverPreload?: Readonly<Record<string, string>> | null
}
