// docs/faults.md is made of the rows that the fault table's suite proves. After a change of a row: run this test with -u.

import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import { FAULT_ROWS, toMarkdown } from '../conformance/fault-table.ts'

const PAGE = fileURLToPath(new URL('../../docs/faults.md', import.meta.url))

test('the table in docs/faults.md is that of the suite', async () => {
  const page = readFileSync(PAGE, 'utf8')
  const before = page.slice(0, page.indexOf('| '))
  await expect(`${before}${toMarkdown(FAULT_ROWS)}\n`).toMatchFileSnapshot(PAGE)
})

test('every row says something in every place', () => {
  for (const row of FAULT_ROWS) for (const words of Object.values(row)) expect(words).not.toBe('')
})
