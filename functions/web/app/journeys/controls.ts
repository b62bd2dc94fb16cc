// Finds the controls of a page, and those that a user cannot reach.
import type { Page } from '@playwright/test'

/** Controls in lists that hold only what is in sight: which ones there are depends on the height. */
const LISTS = '[role=log], [role=grid], [role=listbox], [data-virtual]'

/** Returns the names of the controls that a page shows, beside those of its long lists. */
export const controlsOf = (page: Page): Promise<string[]> =>
  page.evaluate((lists) => {
    const all = document.querySelectorAll<HTMLElement>('a[href], button, input, select, textarea, summary, [role=tab], [role=switch]')
    const isShown = (element: HTMLElement) => element.checkVisibility({ visibilityProperty: true }) && element.closest(lists) === null && element.closest('[aria-hidden=true], [role=alert]') === null
    const nameOf = (element: HTMLElement) => {
      const labels = element instanceof HTMLInputElement || element instanceof HTMLSelectElement || element instanceof HTMLTextAreaElement ? [...(element.labels ?? [])] : []
      const words = element.getAttribute('aria-label') ?? (labels.length > 0 ? labels.map(({ textContent }) => textContent).join(' ') : element instanceof HTMLSelectElement ? element.name : element.textContent)
      return `${element.localName} ${words.replace(/\s+/g, ' ').trim().replace(/\d+( (ungelesen|unread))?/g, '')}`
    }
    return [...new Set([...all].filter(isShown).map(nameOf))].toSorted()
  }, LISTS)

/** Returns the controls that cannot be brought into sight, or above which something else lies. */
export const coveredControlsOf = (page: Page): Promise<string[]> =>
  page.evaluate((lists) => {
    const all = [...document.querySelectorAll<HTMLElement>('a[href], button, input, select, textarea, summary, [role=tab], [role=switch]')]
    // While a dialog or a panel is open, the page behind it is out of reach on purpose.
    const root = [...document.querySelectorAll('aside, [role=dialog], [role=alertdialog], [role=menu]')].at(-1) ?? document.body
    const isShown = (element: HTMLElement) => root.contains(element) && element.checkVisibility({ visibilityProperty: true }) && element.closest(lists) === null && getComputedStyle(element).pointerEvents !== 'none'
    const isCovered = (element: HTMLElement) => {
      element.scrollIntoView({ block: 'center', inline: 'center' })
      const { left, top, width, height } = (element.closest('label') ?? element).getBoundingClientRect()
      if (width <= 1 || height <= 1) return false
      const hit = document.elementFromPoint(left + width / 2, top + height / 2)
      return hit === null || !(element.contains(hit) || hit.contains(element))
    }
    return all.filter(isShown).filter(isCovered).map((element) => `${element.localName} ${element.getAttribute('aria-label') ?? element.textContent.trim().slice(0, 60)}`)
  }, LISTS)
