import t from 'tap'
import { connect } from 'nats.ws'
import { WebSocket } from 'ws'
import { clientSuite, overWebsocket, type Way } from './suite.ts'

// Node has one from version 22 on.
Object.assign(globalThis, { WebSocket })

// The older library; its connection has the shape of the newer one.
clientSuite(t, overWebsocket(connect as unknown as Way['connect']))
