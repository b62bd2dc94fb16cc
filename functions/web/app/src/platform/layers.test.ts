// The history of the browser while dialogs, menus and panels are open.
import { beforeEach, expect, it, vi } from 'vitest'

/** A history as a browser has it: going back takes a moment, and tells it by an event. */
class FakeHistory {
  entries: Record<string, unknown>[] = [{ page: 'list' }, { page: 'room' }]
  at = 1
  readonly target = new EventTarget()

  get state(): Record<string, unknown> {
    return this.entries[this.at] ?? {}
  }

  pushState(state: Record<string, unknown>): void {
    this.entries = [...this.entries.slice(0, this.at + 1), state]
    this.at += 1
  }

  replaceState(state: Record<string, unknown>): void {
    this.entries = this.entries.with(this.at, state)
  }

  go(delta: number): void {
    setTimeout(() => {
      this.at += delta
      this.target.dispatchEvent(new Event('popstate'))
    }, 5)
  }
}

let history: FakeHistory
let layers: typeof import('./layers')
const pass = () => new Promise((resolve) => setTimeout(resolve, 40))
const place = () => [history.at, history.state.page, history.state.layers ?? 0]
const layer = (closed: string[], name: string) => ({ close: () => void closed.push(name) })

beforeEach(async () => {
  history = new FakeHistory()
  vi.stubGlobal('history', history)
  vi.stubGlobal('addEventListener', history.target.addEventListener.bind(history.target))
  vi.stubGlobal('removeEventListener', history.target.removeEventListener.bind(history.target))
  vi.resetModules()
  layers = await import('./layers')
  layers.followHistory({ go: (delta) => history.go(delta), replace: () => {} }, () => '/room')
})

it('Back closes the uppermost layer, one at a time, and then leaves the page', async () => {
  const closed: string[] = []
  for (const name of ['panel', 'dialog']) layers.openLayer(layer(closed, name))
  await pass()
  expect(place()).toEqual([3, 'room', 2])
  history.go(-1)
  await pass()
  expect([closed, place()]).toEqual([['dialog'], [2, 'room', 1]])
  history.go(-1)
  await pass()
  expect([closed, place()]).toEqual([['dialog', 'panel'], [1, 'room', 0]])
  history.go(-1)
  await pass()
  expect(place()).toEqual([0, 'list', 0])
})

it('a layer that is closed by its button leaves no entry behind, and a menu passes its entry to a dialog', async () => {
  const [menu, dialog] = [layer([], 'menu'), layer([], 'dialog')]
  layers.openLayer(menu)
  await pass()
  layers.closeLayer(menu)
  layers.openLayer(dialog)
  await pass()
  expect([place(), history.entries.length]).toEqual([[2, 'room', 1], 3])
  layers.closeLayer(dialog)
  await pass()
  expect(place()).toEqual([1, 'room', 0])
})

it('another page opens above this one, and not above its layers', async () => {
  const closed: string[] = []
  layers.openLayer(layer(closed, 'menu'))
  await pass()
  await layers.closeLayers()
  expect([closed, place()]).toEqual([['menu'], [1, 'room', 0]])
})

it('Forward to a layer that is closed by now leads back', async () => {
  const closed: string[] = []
  layers.openLayer(layer(closed, 'menu'))
  await pass()
  history.go(-1)
  await pass()
  history.go(1)
  await pass()
  expect(place()).toEqual([1, 'room', 0])
})
