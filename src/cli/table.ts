/** Aligned plain text. Pure. */

export type Cell = string | number

/** Rows under one another: numbers to the right, text to the left, two spaces between columns. */
export function formatTable(rows: readonly (readonly Cell[])[]): string {
  const widths: number[] = []
  for (const row of rows) {
    for (const [column, cell] of row.entries()) {
      widths[column] = Math.max(widths[column] ?? 0, String(cell).length)
    }
  }
  return rows.map((row) => formatRow(row, widths)).join('\n')
}

function formatRow(row: readonly Cell[], widths: readonly number[]): string {
  const cells = row.map((cell, column) => {
    const width = widths[column] ?? 0
    return typeof cell === 'number' ? String(cell).padStart(width) : cell.padEnd(width)
  })
  return cells.join('  ').trimEnd()
}
