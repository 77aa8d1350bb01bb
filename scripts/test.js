// npm test: everything that has to hold, on a fresh machine too. Ends with one line "N passed, N failed".
import { spawn, spawnSync } from 'node:child_process'
import { existsSync, readFileSync, rmSync, statSync } from 'node:fs'
import path from 'node:path'

// The least share of lines and branches of lib/ that the tests go through, in percent.
const leastCoverage = 95
const results = '.tap/results.tap'
const coverage = '.tap/report/coverage-summary.json'

function run (command, args, options = {}) {
  const { status, error } = spawnSync(command, args, { stdio: 'inherit', ...options })
  if (error !== undefined) throw error
  return status ?? 1
}

function secondsSince (began) {
  return `${((Date.now() - began) / 1000).toFixed(1)} s`
}

/** Runs commands one after another, and says what they said once they are through. */
async function step (name, ...commands) {
  const began = Date.now()
  const output = []
  let status = 0
  for (const [command, ...args] of commands) {
    const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'] })
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk) => { output.push(chunk) })
    status = await new Promise((resolve, reject) => {
      child.on('error', reject)
      child.on('close', (code) => { resolve(code ?? 1) })
    })
    if (status !== 0) break
  }
  console.log(`\n> ${name}\n${Buffer.concat(output)}  ${secondsSince(began)}`)
  return status === 0 ? null : name
}

function finish (passed, failed, status, why) {
  if (why !== undefined) console.log(`\n${why}`)
  console.log(`${passed} passed, ${failed} failed`)
  process.exit(status)
}

function failOn (steps) {
  const failed = steps.filter((name) => name !== null)
  if (failed.length > 0) finish(0, failed.length, 1, `${failed.join(' and ')} failed`)
}

function isInstalled (command) {
  return spawnSync('sh', ['-c', `command -v ${command}`]).status === 0
}

/** npm ci, unless what is there is what the lock file asks for. */
async function installPackages () {
  const installed = 'node_modules/.package-lock.json'
  if (existsSync(installed) && statSync(installed).mtimeMs >= statSync('package-lock.json').mtimeMs) return
  failOn([await step('npm ci', ['npm', 'ci', '--ignore-scripts', '--no-audit', '--no-fund'])])
}

/** The servers that the tests run against, and the browser. */
function installPrograms () {
  const missing = ['nats-server', ...process.env.REDIS_URL ? [] : ['redis-server']].filter((name) => !isInstalled(name))
  if (!existsSync(process.env.CHROMIUM ?? '/usr/bin/chromium')) missing.push('chromium')
  if (missing.length === 0) return
  const isDebianRoot = existsSync('/etc/debian_version') && process.getuid?.() === 0 && isInstalled('apt-get')
  if (!isDebianRoot) {
    finish(0, 1, 1, `The tests need ${missing.join(', ')}: install ${missing.length > 1 ? 'them' : 'it'} (Debian: apt-get install ${missing.join(' ')}), ` +
      'or set REDIS_URL for a Redis that runs already, CHROMIUM to the path of a Chromium or Chrome. See CONTRIBUTING.md.')
  }
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' }
  console.log(`\n> apt-get install ${missing.join(' ')}`)
  if (run('apt-get', ['install', '-y', '-qq', '--no-install-recommends', ...missing], { env, stdio: 'ignore' }) === 0) return
  run('apt-get', ['update', '-qq'], { env, stdio: 'ignore' })
  if (run('apt-get', ['install', '-y', '-qq', '--no-install-recommends', ...missing], { env }) !== 0) finish(0, 1, 1, 'apt-get failed')
}

function countResults () {
  const last = existsSync(results) ? readFileSync(results, 'utf8').match(/# \{ total: \d+.*\}/g)?.at(-1) ?? '' : ''
  const count = (name) => Number(new RegExp(`\\b${name}: (\\d+)`).exec(last)?.[1] ?? 0)
  return { passed: count('pass'), failed: count('fail') }
}

/** What failed, with where: the reporter says it long before the end, or not at all when a file runs out of time. */
function showFailures () {
  if (!existsSync(results)) return
  const failures = readFileSync(results, 'utf8').split('\n').filter((line) => /^ *not ok/.test(line) && !/# (?:SKIP|TODO)/.test(line))
  for (const line of failures) console.log(line)
}

function checkCoverage () {
  const files = Object.entries(JSON.parse(readFileSync(coverage, 'utf8'))).filter(([file]) => file.startsWith(path.resolve('lib') + path.sep))
  const [lines, branches] = ['lines', 'branches'].map((kind) => {
    const total = files.reduce((sum, [, counts]) => sum + counts[kind].total, 0)
    return 100 * files.reduce((sum, [, counts]) => sum + counts[kind].covered, 0) / total
  })
  console.log(`Coverage of lib/: ${lines.toFixed(2)} % of the lines, ${branches.toFixed(2)} % of the branches; at least ${leastCoverage} % each.`)
  return lines >= leastCoverage && branches >= leastCoverage
}

process.chdir(new URL('..', import.meta.url).pathname)
await installPackages()
installPrograms()
failOn(await Promise.all([
  step('lint', ['npx', '--no-install', 'eslint']),
  step('types', ['npx', '--no-install', 'tsc', '-p', 'tsconfig.json']),
  // Without it tap runs with all of its plugins where CI is set, whatever .taprc says.
  step('tap', ['npx', '--no-install', 'tap', 'build']),
  step('build, package', [process.execPath, 'scripts/build.js'], [process.execPath, 'scripts/package.js'])
]))
console.log('\n> tests')
const began = Date.now()
for (const stale of [results, coverage]) rmSync(stale, { force: true })
const status = run('npx', ['--no-install', 'tap', '--reporter=terse', `--output-file=${results}`, '--coverage-report=json-summary', '--coverage-report=text'], {
  env: { ...process.env, CI: '1' }
})
console.log(`  ${secondsSince(began)}`)
const { passed, failed } = countResults()
showFailures()
if (status !== 0 || failed > 0) finish(passed, Math.max(1, failed), status === 0 ? 1 : status)
finish(passed, failed, checkCoverage() ? 0 : 1)
