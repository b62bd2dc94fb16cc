// A list whose rows are all read at once.
import { type Ref, ref } from 'vue'
import type { RowList } from './use_rows'

export function wholeList<T>({ keyOf, rows, isLoading, isLoaded }: Pick<RowList<T>, 'keyOf' | 'rows' | 'isLoading' | 'isLoaded'>): RowList<T> {
  const nothing = (): void => {}
  const gone: Ref<ReadonlySet<string>> = ref(new Set<string>())
  return { keyOf, rows, isLoading, isLoaded, next: ref(null), failure: ref(null), gone, engage: nothing, more: nothing, retry: nothing }
}
