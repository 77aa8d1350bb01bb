import t from 'tap'
import { connect } from '@nats-io/transport-node'
import { clientSuite, overTcp } from './suite.ts'

clientSuite(t, overTcp(connect))
