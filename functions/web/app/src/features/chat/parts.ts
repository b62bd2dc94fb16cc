// The parts of a room that are loaded later.
import { defineAsyncComponent } from 'vue'
import { later } from '@/platform/parts'
import { useSettings } from '@/stores/settings'
import { part } from '@/ui/part'
import { emojiOf } from './emoji'

export const loadMessageActions = later(() => import('./MessageActions.vue'))
export const loadRoomMenu = later(() => import('./RoomMenu.vue'))
/** Menus, shown once they are loaded: their buttons stay until then. */
export const MessageActions = defineAsyncComponent(loadMessageActions)
export const RoomMenu = defineAsyncComponent(loadRoomMenu)
export const EditForm = part(() => import('./EditForm.vue'))
export const DirectoryDialog = part(() => import('./dialogs/DirectoryDialog.vue'))
export const NewConversationDialog = part(() => import('./dialogs/NewConversationDialog.vue'))
export const MembersPanel = part(() => import('./MembersPanel.vue'))
export const ImageLightbox = part(() => import('./ImageLightbox.vue'))
export const EmojiPicker = part(() => import('./EmojiPicker.vue'))
later(() => emojiOf(useSettings().values.language))
