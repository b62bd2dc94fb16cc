// The rows of a list, read page by page. They are shown in the order of the service and never move by themselves:
// a query that replaced its pages at each refresh would move them.
import { onScopeDispose, type Ref, ref, shallowRef, watch } from 'vue'
import type { Page } from '@/api/admin'
import { type Failure, failureOf } from '@/api/problem'
import { useWhileVisible } from '../while_visible'
import { refreshed, withPage } from './rows'

/** The rows of a list as its view needs them. */
export interface RowList<T> {
  keyOf(row: T): string
  rows: Readonly<Ref<readonly T[]>>
  /** The cursor of the next page; `null` if all are here. */
  next: Readonly<Ref<string | null>>
  isLoading: Readonly<Ref<boolean>>
  isLoaded: Readonly<Ref<boolean>>
  failure: Readonly<Ref<Failure | null>>
  /** The keys of rows that the service no longer returns. */
  gone: Readonly<Ref<ReadonlySet<string>>>
  /** States whether the pointer is on a row or the focus is in the list: no row is inserted then. */
  engage(is: boolean): void
  more(): unknown
  retry(): unknown
}

interface Source<T> {
  keyOf(row: T): string
  fetch(cursor: string | null, signal: AbortSignal): Promise<Page<T>>
  /** The filters: with another value, the list is read again. */
  of(): unknown
  /** The pause between two refreshes while the page is visible, in milliseconds. */
  pause: number
}

export function useRows<T>({ keyOf, fetch, of, pause }: Source<T>) {
  const rows = shallowRef<readonly T[]>([])
  const next = ref<string | null>(null)
  const isLoading = ref(false)
  const isLoaded = ref(false)
  const failure = shallowRef<Failure | null>(null)
  const waiting = ref(0)
  const gone = shallowRef<ReadonlySet<string>>(new Set())
  let isEngaged = false
  let abort = new AbortController()

  /** Reads a page, and calls `then` with it unless the filters have changed. A quiet one has no progress. */
  async function read(cursor: string | null, then: (page: Page<T>) => void, isQuiet = false): Promise<void> {
    const { signal } = abort
    if (!isQuiet) isLoading.value = true
    try {
      const page = await fetch(cursor, signal)
      if (signal.aborted) return
      then(page)
      failure.value = null
      isLoaded.value = true
    } catch (thrown) {
      if (!signal.aborted) failure.value = failureOf(thrown)
    } finally {
      if (!isQuiet && !signal.aborted) isLoading.value = false
    }
  }

  /** Reads the list again, from its first page. */
  function reload(): Promise<void> {
    abort.abort()
    abort = new AbortController()
    return read(null, (page) => {
      rows.value = page.rows
      next.value = page.next
      waiting.value = 0
      gone.value = new Set()
    })
  }

  async function more(): Promise<void> {
    if (next.value === null || isLoading.value) return
    await read(next.value, (page) => {
      rows.value = withPage(rows.value, page.rows, keyOf)
      next.value = page.next
    })
  }

  /** Reads the first page again. Shows new rows if the list is not in use, else counts them. */
  async function refresh(): Promise<void> {
    if (isLoading.value) return
    await read(null, (page) => {
      const result = refreshed(rows.value, page.rows, keyOf, page.next === null)
      const isCalm = !isEngaged && rows.value.length <= page.rows.length
      if (isCalm && (result.waiting > 0 || rows.value.length === 0)) {
        rows.value = page.rows
        next.value = page.next
        waiting.value = 0
        gone.value = new Set()
        return
      }
      rows.value = result.rows
      waiting.value = result.waiting
      gone.value = result.gone
    }, true)
  }

  /** Shows the new values of a row. */
  function put(row: T): void {
    const key = keyOf(row)
    rows.value = rows.value.map((one) => (keyOf(one) === key ? row : one))
  }

  function mark(key: string): void {
    gone.value = new Set(gone.value).add(key)
  }

  watch(() => JSON.stringify(of()), () => {
    rows.value = []
    isLoaded.value = false
    void reload()
  })
  void reload()
  useWhileVisible(pause, refresh)
  onScopeDispose(() => abort.abort())

  function engage(is: boolean): void {
    isEngaged = is
  }

  /** Repeats the failed request. */
  const retry = () => (rows.value.length === 0 ? reload() : more())

  return { keyOf, rows, next, isLoading, isLoaded, failure, waiting, gone, engage, reload, more, retry, refresh, put, mark }
}
