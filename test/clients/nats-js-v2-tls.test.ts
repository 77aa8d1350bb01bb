import t from 'tap'
import { connect } from 'nats'
import { CertificateAuthority } from '../helper/certificate-authority.ts'
import { clientSuite, overTls, type Way } from './suite.ts'

const authority = new CertificateAuthority(t)
const { certFile, keyFile } = authority.local()

// The older library; its connection has the shape of the newer one.
clientSuite(t, overTls(connect as unknown as Way['connect'], { certFile, keyFile, handshakeFirst: 'auto' }, { ca: authority.ca }))
