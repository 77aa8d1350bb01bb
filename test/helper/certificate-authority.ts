import { execFileSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import type { Teardown } from './brokers.ts'
import { scratch } from './processes.ts'

export interface TestCertificate {
  readonly certFile: string
  readonly keyFile: string
  readonly cert: string
  readonly key: string
}

function openssl (folder: string, ...args: readonly string[]): void {
  execFileSync('openssl', args, { cwd: folder, stdio: ['ignore', 'ignore', 'pipe'] })
}

/** Makes certificates in a folder that is gone with the test. */
export class CertificateAuthority {
  readonly caFile: string
  readonly ca: string
  private readonly folder: string

  constructor (t: Teardown) {
    this.folder = scratch(t)
    this.caFile = path.join(this.folder, 'ca.pem')
    openssl(this.folder, 'req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '2',
      '-subj', '/O=aedes-nats/CN=Test CA', '-keyout', 'ca.key', '-out', this.caFile)
    this.ca = readFileSync(this.caFile, 'utf8')
  }

  /** @param names as subjectAltName has them, `DNS:localhost,IP:127.0.0.1` */
  issue (name: string, names: string): TestCertificate {
    const file = (end: string): string => path.join(this.folder, `${name}.${end}`)
    writeFileSync(file('ext'), `subjectAltName=${names}\n`)
    openssl(this.folder, 'req', '-new', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes',
      '-subj', `/O=aedes-nats/CN=${name}`, '-keyout', file('key'), '-out', file('csr'))
    openssl(this.folder, 'x509', '-req', '-in', file('csr'), '-CA', this.caFile, '-CAkey', 'ca.key', '-CAcreateserial',
      '-days', '2', '-extfile', file('ext'), '-out', file('pem'))
    return { certFile: file('pem'), keyFile: file('key'), cert: readFileSync(file('pem'), 'utf8'), key: readFileSync(file('key'), 'utf8') }
  }

  /** A certificate for servers on this machine. */
  local (name = 'server'): TestCertificate {
    return this.issue(name, 'DNS:localhost,IP:127.0.0.1')
  }
}
