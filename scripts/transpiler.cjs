// What ts-node (the loader of tap) turns TypeScript to JavaScript with: TypeScript, each file once. The files of lib/
// cost more than two seconds of processor time, in each of a hundred test processes.
const { createHash } = require('node:crypto')
const { mkdirSync, readFileSync, renameSync, writeFileSync } = require('node:fs')
const path = require('node:path')
const { version } = require('typescript/package.json')

const folder = path.join(__dirname, '../node_modules/.cache/aedes-nats')

function transpile (input, fileName) {
  const ts = require('typescript')
  const { outputText, sourceMapText } = ts.transpileModule(input, {
    fileName,
    compilerOptions: { target: ts.ScriptTarget.ES2023, module: ts.ModuleKind.ESNext, verbatimModuleSyntax: true, sourceMap: true }
  })
  return { outputText, sourceMapText }
}

function readKept (file) {
  try {
    return JSON.parse(readFileSync(file, 'utf8'))
  } catch {
    return null
  }
}

function keep (file, output) {
  mkdirSync(folder, { recursive: true })
  // Other processes see the whole of it or nothing.
  const part = `${file}.${process.pid}`
  writeFileSync(part, JSON.stringify(output))
  renameSync(part, file)
  return output
}

exports.create = () => ({
  transpile (input, { fileName }) {
    const key = createHash('sha256').update(`${version}\n${fileName}\n${input}`).digest('hex')
    const file = path.join(folder, `${key}.json`)
    return readKept(file) ?? keep(file, transpile(input, fileName))
  }
})
