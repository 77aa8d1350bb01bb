// npm run bench: the peers side by side, from one run. See README.md for the options and for what the rows mean.
import fs from 'node:fs'
import os from 'node:os'
import { setTimeout as sleep } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { defaultServer, peers as allPeers, startPeer } from './peers.js'
import { runLoad } from './processes.js'
import { judge, number, render, summarise } from './report.js'
import { makeRows, targets } from './rows.js'

const usage = `usage: node bench/main.js [--only ROW-REGEX] [--peers ${Object.keys(allPeers).join(',')}] [--runs N]
                          [--quick] [--json FILE] [--server "COMMAND"]`

const settings = readSettings()
const rows = makeRows(settings.quick)
  .filter(({ id }) => settings.only.test(id))
  .map((row) => ({ ...row, peers: row.peers.filter((peer) => settings.peers.includes(peer)) }))
  .filter((row) => row.peers.length > 0)
if (rows.length === 0) quit('no row is left, see --only and --peers')
const peers = settings.peers.filter((peer) => rows.some((row) => row.peers.includes(peer)))
for (const peer of peers) {
  try {
    allPeers[peer].check(settings)
  } catch (error) {
    quit(`${peer}: ${error.message}`)
  }
}

const head = describeMachine()
const began = Date.now()
const cells = []
// The runs are the outermost loop: what changes on the machine meanwhile falls on every figure alike, and figures of
// different rows that a target compares alternate too.
for (let run = 1; run <= settings.runs; run++) {
  for (const row of rows) {
    for (const peer of row.peers) cells.push(await measure(row, peer, run))
  }
}
head.duration = `${Math.round((Date.now() - began) / 1000)} s`
head['load after'] = load()

const summary = summarise(rows, cells)
const verdicts = judge(summary, targets)
console.log('\n' + render({ head, summary, verdicts, peers, runs: settings.runs }))
if (settings.json !== undefined) {
  fs.writeFileSync(settings.json, JSON.stringify({ head, settings: { ...settings, only: settings.only.source }, summary, verdicts, cells }, null, 2) + '\n')
}
// A missed target is a result; only what broke is a failure.
process.exit(cells.some(({ errors }) => Object.keys(errors).length > 0) ? 1 : 0)

async function measure (row, peer, run) {
  const cell = { row: row.id, peer, run, figures: {}, errors: {} }
  const answer = await answerOf(row, peer)
  for (const { id, key } of row.figures) {
    const error = answer.error ?? answer.errors?.[key]
    if (error === undefined) cell.figures[id] = answer.figures[key]
    else cell.errors[id] = error
  }
  const parts = row.figures.map(({ id, unit }) => id in cell.figures ? `${number(cell.figures[id])} ${unit}` : `FAILED: ${cell.errors[id]}`)
  console.error(`run ${run}/${settings.runs}  ${row.id.padEnd(15)} ${peer.padEnd(12)} ${parts.join(', ')}`)
  return cell
}

async function answerOf (row, peer) {
  let server
  try {
    server = await startPeer(peer, row, settings)
    const { nats, mqtt, far, redis, pid } = server
    const answer = await runLoad({ ...row.job, peer, nats, mqtt, far, redis, pid })
    if (answer.error !== undefined) {
      await sleep(100) // a server that died breaks its connections a little before its exit is reported
      throw new Error(answer.error + server.lastWords())
    }
    await server.published(answer.published)
    return answer
  } catch (error) {
    return { error: error.message }
  } finally {
    await server?.stop()
  }
}

function describeMachine () {
  const cpus = os.cpus()
  return {
    machine: `${cpus[0].model.trim()}, ${cpus.length} cores, ${Math.round(os.totalmem() / 2 ** 30)} GiB, ${os.type()} ${os.release()}`,
    node: process.version,
    ...Object.fromEntries(peers.map((peer) => [peer, allPeers[peer].version(settings)])),
    ...(settings.quick && { quick: 'a smoke test: its figures and verdicts mean nothing' }),
    'load before': load()
  }
}

function load () {
  return `${os.loadavg()[0].toFixed(2)} (average of the last minute)`
}

function readSettings () {
  let values
  try {
    ({ values } = parseArgs({
      options: {
        only: { type: 'string', default: '' },
        peers: { type: 'string', default: Object.keys(allPeers).join(',') },
        runs: { type: 'string' },
        json: { type: 'string' },
        quick: { type: 'boolean', default: false },
        server: { type: 'string', default: defaultServer }
      }
    }))
  } catch (error) {
    quit(`${error.message}\n${usage}`)
  }
  const names = values.peers.split(',')
  const unknown = names.find((name) => !Object.hasOwn(allPeers, name))
  if (unknown !== undefined) quit(`no peer is called '${unknown}'\n${usage}`)
  const runs = Number(values.runs ?? (values.quick ? 1 : 5))
  if (!Number.isInteger(runs) || runs < 1) quit(`--runs takes a positive number\n${usage}`)
  return { ...values, only: new RegExp(values.only), peers: Object.keys(allPeers).filter((name) => names.includes(name)), runs }
}

function quit (message) {
  console.error(message)
  process.exit(2)
}
