import { readDer, readObjectIdentifier, readString, type DerValue, BOOLEAN, OBJECT_IDENTIFIER, OCTET_STRING, SEQUENCE } from './der.ts'
import type { DistinguishedName } from './distinguished-name.ts'

/** Whom a client certificate is of, in the order in which nats-server looks for a user of that name. */
export interface CertificateNames {
  /** E-mail addresses, then DNS names, then URIs. */
  readonly alternative: readonly string[]
  /** The subject with all its parts; null where it has one that nats-server does not know. */
  readonly subject: DistinguishedName | null
  /** The subject as Go writes it, with and then without domain components. */
  readonly written: readonly string[]
}

// Those that both Go (crypto/x509/pkix) and nats-server (internal/ldap) know.
const typeNames = new Map([
  ['2.5.4.3', 'CN'], ['2.5.4.5', 'SERIALNUMBER'], ['2.5.4.6', 'C'], ['2.5.4.7', 'L'], ['2.5.4.8', 'ST'], ['2.5.4.9', 'STREET'],
  ['2.5.4.10', 'O'], ['2.5.4.11', 'OU'], ['2.5.4.17', 'POSTALCODE'], ['0.9.2342.19200300.100.1.25', 'DC']
])

/** Go writes a subject in this order, whatever the certificate's; several values of a type are one part. */
const writtenOrder = ['SERIALNUMBER', 'CN', 'POSTALCODE', 'STREET', 'ST', 'L', 'OU', 'O', 'C']

/** Of these Go keeps the last only. */
const singleTypes = new Set(['SERIALNUMBER', 'CN'])

const SUBJECT_ALT_NAME = '2.5.29.17'

interface Attribute {
  /** Undefined for a type without a name. */
  readonly type: string | undefined
  readonly value: string | null
}

function attributesOf (set: DerValue): Attribute[] {
  return readDer(set.content).map(({ content }) => {
    const [type, value] = readDer(content)
    return {
      type: type === undefined ? undefined : typeNames.get(readObjectIdentifier(type.content)),
      value: value === undefined ? null : readString(value)
    }
  })
}

/** internal/ldap FromRawCertSubject: last part first, in a part too. */
function distinguishedName (parts: readonly Attribute[][]): DistinguishedName | null {
  const name: [string, string][][] = []
  for (const part of parts) {
    const pairs: [string, string][] = []
    for (const { type, value } of part) {
      if (type === undefined || value === null) return null
      pairs.unshift([type, value])
    }
    if (pairs.length > 0) name.unshift(pairs)
  }
  return name
}

/** As crypto/x509/pkix RDNSequence.String escapes. */
function escape (value: string): string {
  return value.replace(/[,+"\\<>;]|^[# ]| $/g, '\\$&')
}

function written (parts: readonly Attribute[][]): string[] {
  const values = new Map<string, string[]>()
  for (const { type, value } of parts.flat()) {
    if (type === undefined || value === null) continue
    if (singleTypes.has(type)) values.set(type, [value])
    else values.set(type, [...values.get(type) ?? [], value])
  }
  const name = writtenOrder.flatMap((type) => {
    const all = values.get(type)?.filter((value) => value !== '' || !singleTypes.has(type)) ?? []
    return all.length === 0 ? [] : [all.map((value) => `${type}=${escape(value)}`).join('+')]
  }).join(',')
  const domain = values.get('DC')?.map((value) => `DC=${value}`).join(',')
  return domain === undefined ? [name] : [`${name},${domain}`, name]
}

/** RFC 5280 4.2.1.6, by the tag of the kind of name. */
function alternativeNames (extensions: readonly DerValue[]): string[] {
  for (const extension of extensions) {
    const fields = readDer(extension.content)
    const [id] = fields
    const value = fields.find(({ tag }) => tag === OCTET_STRING)
    const known = fields.every(({ tag }) => tag === OBJECT_IDENTIFIER || tag === BOOLEAN || tag === OCTET_STRING)
    if (!known || id === undefined || value === undefined || readObjectIdentifier(id.content) !== SUBJECT_ALT_NAME) continue
    const names = readDer(value.content).filter(({ tag }) => tag === SEQUENCE).flatMap(({ content }) => readDer(content))
    return [0x81, 0x82, 0x86].flatMap((wanted) => names.filter(({ tag }) => tag === wanted).map(({ content }) => content.toString('latin1')))
  }
  return []
}

/**
 * The names in a certificate.
 *
 * @param raw DER
 * @throws {RangeError} where it is no certificate
 */
export function namesOf (raw: Buffer): CertificateNames {
  const [certificate] = readDer(raw)
  const [body] = readDer(certificate?.content ?? raw)
  const fields = readDer(body?.content ?? raw)
  // RFC 5280 4.1: an optional version, serial number, signature, issuer, validity, subject, key, ..., extensions.
  const subject = fields[fields[0]?.tag === 0xa0 ? 5 : 4]
  const extensions = fields.find(({ tag }) => tag === 0xa3)
  if (subject?.tag !== SEQUENCE) throw new RangeError('no subject')
  const parts = readDer(subject.content).map(attributesOf)
  const [list] = extensions === undefined ? [] : readDer(extensions.content)
  return {
    alternative: list === undefined ? [] : alternativeNames(readDer(list.content)),
    subject: distinguishedName(parts),
    written: written(parts)
  }
}
