// The parts of the notifications that are loaded later.
import { defineAsyncComponent } from 'vue'
import { later } from '@/platform/parts'
import { part } from '@/ui/part'

export const loadAlarmMenu = later(() => import('./AlarmMenu.vue'))
/** Shown once it is loaded: its button stays until then. */
export const AlarmMenu = defineAsyncComponent(loadAlarmMenu)
export const CommentDialog = part(() => import('./CommentDialog.vue'))
export const AlarmPanel = part(() => import('./AlarmPanel.vue'))
