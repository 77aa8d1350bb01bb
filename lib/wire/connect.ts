/** The options of CONNECT that a client may send (server/client.go `ClientOpts`). */
export interface ConnectOptions {
  echo: boolean
  verbose: boolean
  pedantic: boolean
  tls_required: boolean
  nkey: string
  jwt: string
  sig: string
  auth_token: string
  user: string
  pass: string
  name: string
  lang: string
  version: string
  protocol: number
  account: string
  new_account: boolean
  headers: boolean
  no_responders: boolean
}

/** What holds for a key that CONNECT lacks, and for a connection that never sends one (server/client.go defaultOpts). */
export const defaultConnectOptions: Readonly<ConnectOptions> = Object.freeze({
  echo: true,
  verbose: true,
  pedantic: true,
  tls_required: false,
  nkey: '',
  jwt: '',
  sig: '',
  auth_token: '',
  user: '',
  pass: '',
  name: '',
  lang: '',
  version: '',
  protocol: 0,
  account: '',
  new_account: false,
  headers: false,
  no_responders: false
})

function isKey (name: string): name is keyof ConnectOptions {
  return Object.hasOwn(defaultConnectOptions, name)
}

/** With U+FFFD for half surrogates, as encoding/json has it: two names that differ in them alone are one in UTF-8. */
function wellFormed (text: string): string {
  return Buffer.from(text, 'utf8').toString('utf8')
}

/**
 * Reads the JSON of a CONNECT over what held before, as Go's encoding/json does: names in any case, null for
 * "unchanged", unknown names ignored.
 *
 * @param json UTF-8 as latin1 text
 * @returns null where nats-server closes without a word: no JSON object, or a value of the wrong type
 */
export function parseConnect (json: string, before: Readonly<ConnectOptions>): ConnectOptions | null {
  let given: unknown
  try {
    given = JSON.parse(Buffer.from(json, 'latin1').toString('utf8'))
  } catch {
    return null
  }
  const options: ConnectOptions = { ...before }
  if (given === null) return options
  if (typeof given !== 'object' || Array.isArray(given)) return null
  for (const [name, value] of Object.entries(given)) {
    const key = name.toLowerCase()
    if (!isKey(key) || value === null) continue
    if (typeof value !== typeof defaultConnectOptions[key]) return null
    if (typeof value === 'number' && !Number.isSafeInteger(value)) return null
    Object.assign(options, { [key]: typeof value === 'string' ? wellFormed(value) : value })
  }
  return options
}

/** The options with other values for fields that are empty. */
export function withFields (options: ConnectOptions, fields: Readonly<Partial<Record<'jwt' | 'user' | 'pass' | 'auth_token', string>>>): ConnectOptions {
  const all = { ...options }
  for (const [name, value] of Object.entries(fields) as [keyof typeof fields, string][]) {
    if (all[name] === '') all[name] = value
  }
  return all
}
