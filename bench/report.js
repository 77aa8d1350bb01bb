// The table: every figure with median, range, its ratio to each peer that has it, and the targets beside ours.

// cells: [{ row, peer, run, figures: { id: value }, errors: { id: text } }] -> [{ id, title, unit, lower, peers: {...} }]
export function summarise (rows, cells) {
  return rows.flatMap((row) => row.figures.map((figure) => {
    const peers = {}
    for (const cell of cells) {
      if (cell.row !== row.id) continue
      const entry = peers[cell.peer] ??= { values: [], errors: [] }
      if (figure.id in cell.figures) entry.values.push(cell.figures[figure.id])
      if (figure.id in cell.errors) entry.errors.push(`run ${cell.run}: ${cell.errors[figure.id]}`)
    }
    for (const entry of Object.values(peers)) entry.median = median(entry.values)
    return { id: figure.id, title: figure.title, unit: figure.unit, lower: figure.lower === true, peers }
  }))
}

// -> [{ figure, text, reached, met }]; reached and met are undefined where something was not measured.
export function judge (summary, targets) {
  const valueOf = (figure, peer) => summary.find((row) => row.id === figure)?.peers[peer]?.median
  return targets
    .filter(({ figure }) => valueOf(figure, 'aedes-nats') !== undefined)
    .map(({ figure, atLeast, of, text }) => {
      const reference = of === undefined ? 1 : valueOf(of.figure, of.peer)
      const reached = reference === undefined ? undefined : valueOf(figure, 'aedes-nats') / reference
      return { figure, text, atLeast, reached, met: reached === undefined ? undefined : reached >= atLeast }
    })
}

export function render ({ head, summary, verdicts, peers, runs }) {
  const lines = [...Object.entries(head).map(([key, value]) => `${key.padEnd(12)} ${value}`), '']
  const table = [['figure', 'unit', 'peer', 'median', 'min - max', ...peers.map((peer) => `/ ${peer}`), 'target']]
  for (const row of summary) {
    let first = true
    for (const [name, entry] of Object.entries(row.peers)) {
      const beside = name === 'aedes-nats' ? verdicts.filter(({ figure }) => figure === row.id).map(verdictText) : []
      table.push([
        first ? row.title : '', first ? unitText(row) : '', name, ...numbers(entry),
        ...peers.map((other) => ratio(entry, row.peers[other], other === name)), beside[0] ?? ''
      ])
      for (const text of beside.slice(1)) table.push([...Array(5 + peers.length).fill(''), text])
      first = false
    }
  }
  lines.push(...align(table), '')
  lines.push(`Every figure is the median of ${runs} run(s); "/ peer" is the figure divided by that peer's.`)
  const count = (met) => verdicts.filter((verdict) => verdict.met === met).length
  if (verdicts.length > 0) {
    lines.push(`Targets: ${count(true)} met, ${count(false)} not met, ${count(undefined)} without a figure to compare with.`)
  }
  lines.push(...failures(summary))
  return lines.join('\n')
}

function failures (summary) {
  const lines = summary.flatMap((row) => Object.entries(row.peers).flatMap(([name, { errors }]) =>
    errors.map((error) => `  ${row.title.trim()} (${row.id}), ${name}, ${error}`)))
  if (lines.length === 0) return []
  const lost = lines.some((line) => line.includes('LOST'))
    ? ' LOST messages are QoS 0 and were dropped by the server: for a slow subscriber, as MQTT brokers may, or by a defect.'
    : ''
  return ['', `FAILED: ${lines.length}.${lost}`, ...lines]
}

function numbers ({ median, values, errors }) {
  const failed = errors.length === 0 ? '' : ` (${errors.length} FAILED)`
  if (median === undefined) return ['FAILED', '']
  return [number(median) + failed, `${number(Math.min(...values))} - ${number(Math.max(...values))}`]
}

function ratio (entry, other, itself) {
  if (itself || entry.median === undefined || other?.median === undefined) return itself ? '-' : ''
  return (entry.median / other.median).toFixed(2)
}

function verdictText ({ text, atLeast, reached, met }) {
  if (met === undefined) return `>= ${atLeast} ${text}: not measured`
  return `>= ${atLeast} ${text}: ${reached.toFixed(2)} ${met ? 'met' : 'NOT MET'}`
}

function unitText ({ unit, lower }) {
  return lower ? `${unit} (less is better)` : unit
}

export function number (value) {
  if (Math.abs(value) >= 1000) return Math.round(value).toLocaleString('en')
  return value.toFixed(Math.abs(value) >= 10 ? 1 : 2)
}

function median (values) {
  if (values.length === 0) return undefined
  const sorted = values.toSorted((a, b) => a - b)
  const middle = sorted.length >> 1
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2
}

// Numbers to the right, words to the left.
function align (table) {
  const last = table[0].length - 1
  const widths = table[0].map((_, column) => Math.max(...table.map((cells) => cells[column].length)))
  const left = (column) => column < 3 || column === last
  return table.map((cells) => cells.map((text, column) =>
    left(column) ? text.padEnd(widths[column]) : text.padStart(widths[column])).join('  ').trimEnd())
}
