// The parts of a room that are loaded later.
import { defineAsyncComponent } from 'vue'
import { later } from '@/platform/parts'
import { useSettings } from '@/stores/settings'
import { part } from '@/ui/part'
import { emojiOf } from './emoji'

export const loadMessageActions = later(() => import('./MessageActions.vue'))
/** Shown after `loadMessageActions`: the button stays until then. */
export const MessageActions = defineAsyncComponent(loadMessageActions)
export const EditForm = part(() => import('./EditForm.vue'))
export const EmojiPicker = part(() => import('./EmojiPicker.vue'))
later(() => emojiOf(useSettings().values.language))
