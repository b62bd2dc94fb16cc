// A phone with its keyboard open: in browsers that make the page smaller, and in Safari, which covers it.
import { expect, type Page, test } from '@playwright/test'
import { open, Person, roomPath, run } from './service'

const PHONE = { width: 390, height: 844 }
/** The height that a keyboard with its row of suggestions takes, in pixels. */
const KEYBOARD = 380

/** Opens a room with more messages than fit, and touches its composer. */
async function writing(page: Page, name: string): Promise<void> {
  await expect(page.getByRole('log').getByText('Zeile 30')).toBeInViewport()
  await page.getByLabel(`Nachricht an ${name}`).click()
}

async function roomOf(name: string): Promise<string> {
  const bert = await Person.of('weber')
  const room = await bert.room(name, ['mueller'])
  for (let number = 1; number <= 30; number += 1) await bert.send(room, `Zeile ${number}`)
  return room
}

/** Returns the lower edge of an element, in pixels from the top of the window. */
const bottomOf = (page: Page, label: string) => page.getByLabel(label).evaluate((element) => element.getBoundingClientRect().bottom)

test('with the keyboard open, the composer and the newest message stay in sight', async ({ browser }) => {
  const name = `Tippen ${run}`
  const room = await roomOf(name)
  const page = await open(browser, 'mueller', '/chat', { viewport: PHONE, hasTouch: true, isMobile: true })
  await page.goto(roomPath(room))
  await writing(page, name)
  await page.setViewportSize({ ...PHONE, height: PHONE.height - KEYBOARD })
  await expect(page.getByLabel(`Nachricht an ${name}`)).toBeInViewport({ ratio: 1 })
  await expect(page.getByRole('button', { name: 'Senden' })).toBeInViewport({ ratio: 1 })
  await expect(page.getByRole('log').getByText('Zeile 30')).toBeInViewport()
  // A text of many lines leaves space for the message that it answers.
  await page.getByLabel(`Nachricht an ${name}`).fill(Array.from({ length: 20 }, (_, line) => `Absatz ${line}`).join('\n'))
  await expect(page.getByRole('button', { name: 'Senden' })).toBeInViewport({ ratio: 1 })
  await expect(page.getByRole('log').getByText('Zeile 30')).toBeInViewport()
  await page.getByRole('button', { name: 'Senden' }).click()
  await expect(page.getByRole('log').getByText('Absatz 19')).toBeInViewport()
  await page.setViewportSize(PHONE)
  await expect(page.getByRole('log').getByText('Absatz 19')).toBeInViewport()
})

test('a keyboard that only covers the page moves composer and dialogs above it', async ({ browser }) => {
  const name = `Decken ${run}`
  const room = await roomOf(name)
  const page = await open(browser, 'mueller', '/chat', { viewport: PHONE, hasTouch: true, isMobile: true })
  await page.addInitScript(() => {
    const viewport = Object.assign(new EventTarget(), { height: innerHeight, scale: 1, offsetTop: 0 })
    Object.defineProperty(window, 'visualViewport', { value: viewport })
  })
  await page.goto(roomPath(room))
  const keyboard = (height: number) =>
    page.evaluate((covered) => {
      Object.assign(visualViewport as object, { height: innerHeight - covered })
      visualViewport?.dispatchEvent(new Event('resize'))
    }, height)
  await writing(page, name)
  await keyboard(KEYBOARD)
  await expect.poll(() => bottomOf(page, `Nachricht an ${name}`)).toBeLessThanOrEqual(PHONE.height - KEYBOARD)
  const newest = page.getByRole('log').getByText('Zeile 30')
  await expect.poll(() => newest.evaluate((element) => element.getBoundingClientRect().bottom)).toBeLessThanOrEqual(PHONE.height - KEYBOARD)
  await keyboard(0)
  await expect.poll(() => bottomOf(page, `Nachricht an ${name}`)).toBeGreaterThan(PHONE.height - KEYBOARD)
  await page.goto('/chat')
  await page.getByRole('button', { name: 'Neuer Chat' }).click()
  await keyboard(KEYBOARD)
  await expect.poll(() => bottomOf(page, 'Person suchen')).toBeLessThanOrEqual(PHONE.height - KEYBOARD)
})
