import { runShort } from './short.ts'

runShort('redis')
