// The comment on an alarm that is being written. It is a part of the page: its card may move or go meanwhile.
import { computed, ref, shallowRef } from 'vue'
import type { Alarm } from '@/api/types'

export function useOpenComment() {
  /** The alarm as it was when the user began to write. */
  const commented = shallowRef<Alarm | null>(null)
  /** Unsent comments, by alarm. */
  const texts = ref<ReadonlyMap<number, string>>(new Map())
  const isOpen = computed({
    get: () => commented.value !== null,
    set: (is) => {
      if (!is) commented.value = null
    },
  })
  const text = computed({
    get: () => texts.value.get(commented.value?.id ?? -1) ?? '',
    set: (value) => {
      if (commented.value !== null) texts.value = new Map(texts.value).set(commented.value.id, value)
    },
  })
  const open = (alarm: Alarm): void => void (commented.value = alarm)

  return { commented, isOpen, text, open }
}
