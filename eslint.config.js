import neostandard from 'neostandard'

// The rooms of lib/ from the ground up. A room imports only from rooms on earlier lines.
const levels = [
  ['errors'],
  ['options'],
  ['wire', 'subject', 'transport'],
  ['broker'],
  ['auth'],
  ['routing'],
  ['durable', 'cluster'],
  ['client'],
  ['gateway'],
  ['monitor'],
  ['plugin'],
  ['index', 'cli']
]

const rooms = levels.flat()

function filesOf (room) {
  return [`lib/${room}.ts`, `lib/${room}/**/*.ts`]
}

function importsOf (room) {
  return [`**/${room}.ts`, `**/${room}/*.ts`, `**/${room}/**/*.ts`]
}

const order = rooms.map((room) => {
  const level = levels.findIndex((names) => names.includes(room))
  const allowed = [...levels.slice(0, level).flat(), room]
  return {
    files: filesOf(room),
    rules: {
      'no-restricted-imports': ['error', {
        patterns: [{
          group: rooms.filter((name) => !allowed.includes(name)).flatMap(importsOf),
          message: `The room '${room}' may import only from: ${allowed.join(', ')}.`
        }]
      }]
    }
  }
})

export default [
  ...neostandard({ ts: true, noJsx: true, ignores: ['dist', '.tap', 'node_modules', 'shared'] }),
  {
    files: ['**/*.ts'],
    rules: {
      '@typescript-eslint/consistent-type-imports': 'error',
      '@typescript-eslint/no-explicit-any': 'error',
      'max-lines': ['error', { max: 300 }]
    }
  },
  {
    files: ['test/**/*.ts'],
    rules: { 'max-lines': ['error', { max: 600 }] }
  },
  ...order
]
