// A printed page holds the conversation, not the window.
import { execFileSync } from 'node:child_process'
import { expect, test } from '@playwright/test'
import { open, Person, roomPath, run } from './service'

test('a printed room has all loaded rows, the first and the last', async ({ browser }) => {
  const bert = await Person.of('weber')
  const room = await bert.room(`Druck ${run}`, ['mueller'])
  for (let number = 1; number <= 48; number += 1) await bert.send(room, `Zeile ${number}. ${'Text '.repeat(number % 30)}`)
  const page = await open(browser, 'mueller', roomPath(room))
  await expect(page.getByRole('log').getByText('Zeile 48.')).toBeVisible()
  const pdf = await page.pdf({ format: 'A4' })
  const text = execFileSync('pdftotext', ['-layout', '-', '-'], { input: pdf }).toString()
  const printed = [...text.matchAll(/Zeile (\d+)\./g)].map(([, number]) => Number(number))
  expect(printed).toEqual(Array.from({ length: 48 }, (_, index) => index + 1))
  expect(text).toContain(`Druck ${run}`)
  // Afterwards the window is as it was.
  await expect(page.getByRole('log').getByText('Zeile 48.')).toHaveCount(1)
})
