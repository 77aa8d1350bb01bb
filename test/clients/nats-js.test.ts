import t from 'tap'
import { connect } from '@nats-io/transport-node'
import { clientSuite } from './suite.ts'

clientSuite(t, connect)
