import t from 'tap'
import { wsconnect } from '@nats-io/nats-core'
import { WebSocket } from 'ws'
import { clientSuite, overWebsocket } from './suite.ts'

// Node has one from version 22 on.
Object.assign(globalThis, { WebSocket })

clientSuite(t, overWebsocket(wsconnect))
