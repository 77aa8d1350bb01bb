#!/usr/bin/env node
import { readFileSync } from 'node:fs'
import { createLog, type ServerLog } from './logger.ts'
import { readCommand, type Settings } from './settings.ts'
import { type Standalone, startStandalone } from './standalone.ts'
import { usage } from './usage.ts'

// How long a stop may take; a Redis that does not answer must not hold the process.
const stopDeadline = 10_000

const { version } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as { version: string }

function messageOf (error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}

/** Says what is wrong with the command line, the environment or the file, a line for each thing, and ends. */
function refuse (error: unknown): never {
  for (const line of messageOf(error).split('\n')) console.error(`aedes-nats: ${line}`)
  process.exit(1)
}

function read (): Settings {
  const command = readCommand(process.argv.slice(2), process.env)
  if (command.kind === 'run') return command.settings
  console.log(command.kind === 'help' ? usage() : `aedes-nats: v${version}`)
  process.exit(0)
}

function open (settings: Settings): ServerLog {
  try {
    return createLog({ file: settings.logFile, debug: settings.debug, trace: settings.trace })
  } catch (error) {
    return refuse(error)
  }
}

/** The signals of nats-server (server/signal.go). */
function listenToSignals (server: Standalone, log: ServerLog): void {
  let ending = false
  let lameDuck = false
  const end = async (): Promise<void> => {
    if (ending) return
    ending = true
    setTimeout(() => { process.exit(1) }, stopDeadline).unref()
    await server.stop()
    log.info({}, 'Server Exiting..')
    log.close()
    process.exit(0)
  }
  process.on('SIGINT', () => { end().catch(fatal) })
  // Whoever sends both lets the clients go first.
  process.on('SIGTERM', () => { if (!lameDuck) end().catch(fatal) })
  process.on('SIGUSR1', () => { log.reopen() })
  process.on('SIGUSR2', () => {
    lameDuck = true
    server.gateway.lameDuck().then(end).catch(fatal)
  })
  process.on('SIGHUP', () => {
    try {
      server.reload(read())
    } catch (error) {
      log.error({}, `Failed to reload server configuration: ${messageOf(error)}`)
    }
  })
  function fatal (error: unknown): void {
    log.fatal({}, messageOf(error))
    process.exit(1)
  }
}

async function run (settings: Settings): Promise<void> {
  const log = open(settings)
  for (const warning of settings.warnings) log.warn({}, warning)
  log.info({}, `Starting aedes-nats, version ${version}`)
  try {
    const server = await startStandalone(settings, log)
    listenToSignals(server, log)
    log.info({}, `Server id is ${server.gateway.serverId}, server name is ${server.gateway.options.serverName}`)
    log.info({}, 'Server is ready')
  } catch (error) {
    log.fatal({}, messageOf(error))
    log.close()
    process.exit(1)
  }
}

let settings: Settings
try {
  settings = read()
} catch (error) {
  refuse(error)
}
if (settings.checkConfig) {
  console.error(`aedes-nats: configuration file ${settings.configFile} is valid`)
  process.exit(0)
}
await run(settings)
