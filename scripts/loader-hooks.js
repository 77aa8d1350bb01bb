// Transpiles each file once, and keeps it.
import { createHash } from 'node:crypto'
import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'

const folder = new URL('../node_modules/.cache/aedes-nats/', import.meta.url)
const { version } = JSON.parse(readFileSync(new URL('../node_modules/typescript/package.json', import.meta.url), 'utf8'))

/** A hook of node:module. */
export async function load (url, context, nextLoad) {
  if (!url.endsWith('.ts')) return nextLoad(url, context)
  return { format: 'module', source: await javascriptOf(fileURLToPath(url)), shortCircuit: true }
}

async function javascriptOf (fileName) {
  const input = await readFile(fileName, 'utf8')
  const kept = new URL(`${createHash('sha256').update(`${version}\n${fileName}\n${input}`).digest('hex')}.js`, folder)
  try {
    return await readFile(kept, 'utf8')
  } catch {
    return keep(kept, await transpile(input, fileName))
  }
}

async function transpile (input, fileName) {
  const { default: ts } = await import('typescript')
  return ts.transpileModule(input, {
    fileName,
    compilerOptions: { target: ts.ScriptTarget.ES2023, module: ts.ModuleKind.ESNext, verbatimModuleSyntax: true, inlineSourceMap: true }
  }).outputText
}

function keep (file, output) {
  mkdirSync(folder, { recursive: true })
  // Other processes see the whole of it or nothing.
  const part = new URL(`${file.href}.${process.pid}`)
  writeFileSync(part, output)
  renameSync(part, file)
  return output
}
