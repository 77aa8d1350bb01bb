import t from 'tap'
import { connect } from '@nats-io/transport-node'
import { CertificateAuthority } from '../helper/certificate-authority.ts'
import { clientSuite, overTls } from './suite.ts'

const authority = new CertificateAuthority(t)
const { certFile, keyFile } = authority.local()

clientSuite(t, overTls(connect, { certFile, keyFile }, { ca: authority.ca }))
