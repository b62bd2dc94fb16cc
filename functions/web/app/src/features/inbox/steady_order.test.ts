// The order of the open alarms while somebody is about to press a button.
import { effectScope, nextTick, ref, shallowRef } from 'vue'
import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { useSteadyOrder } from './steady_order'

/** A section with the part of an element that is used. */
class Section extends EventTarget {
  hasFocus = false
  readonly listeners: string[] = []
  querySelector = () => (this.hasFocus ? {} : null)
  override addEventListener(...all: Parameters<EventTarget['addEventListener']>): void {
    this.listeners.push(all[0])
    super.addEventListener(...all)
  }
  override removeEventListener(...all: Parameters<EventTarget['removeEventListener']>): void {
    this.listeners.splice(this.listeners.indexOf(all[0]), 1)
    super.removeEventListener(...all)
  }
}

beforeEach(() => vi.useFakeTimers())
afterEach(() => vi.useRealTimers())

async function steady() {
  const scope = effectScope()
  const list = ref([{ id: 1 }, { id: 2 }, { id: 3 }])
  const known = new Map([1, 2, 3, 4].map((id) => [id, { id }]))
  const section = new Section()
  const shown = scope.run(() => useSteadyOrder(() => list.value, (id) => known.get(id), shallowRef(section as unknown as HTMLElement)))
  await nextTick()
  return { scope, list, section, ids: () => shown?.value.map(({ id }) => id) }
}

it('an unused list follows its order', async () => {
  const { list, ids } = await steady()
  list.value = [{ id: 2 }, { id: 1 }]
  expect(ids()).toEqual([2, 1])
})

it('a used one keeps its rows in place, also those that left it, and new ones come last', async () => {
  const { list, section, ids } = await steady()
  section.dispatchEvent(new Event('pointermove'))
  list.value = [{ id: 4 }, { id: 3 }, { id: 1 }]
  expect(ids()).toEqual([1, 2, 3, 4])
  vi.advanceTimersByTime(3_000)
  section.dispatchEvent(new Event('pointerdown'))
  vi.advanceTimersByTime(3_000)
  expect(ids()).toEqual([1, 2, 3, 4])
  vi.advanceTimersByTime(1_500)
  expect(ids()).toEqual([4, 3, 1])
})

it('the focus of the keyboard holds it, and nothing is left of it afterwards', async () => {
  const { scope, list, section, ids } = await steady()
  section.hasFocus = true
  section.dispatchEvent(new Event('focusin'))
  list.value = [{ id: 3 }, { id: 2 }, { id: 1 }]
  vi.advanceTimersByTime(20_000)
  expect(ids()).toEqual([1, 2, 3])
  scope.stop()
  expect([section.listeners, vi.getTimerCount()]).toEqual([[], 0])
})
