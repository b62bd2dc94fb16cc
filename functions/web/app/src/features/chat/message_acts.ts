// Acts on a message: react, reply, edit, delete. A failure is shown, and the message stays unchanged.
import { useI18n } from 'vue-i18n'
import { editMessage, react, redactMessage, withdrawReaction } from '@/api/calls'
import { failureOf } from '@/api/problem'
import { useFailureText } from '@/composables/failure_text'
import { randomId } from '@/platform/ids'
import { useDrafts } from '@/stores/drafts'
import { reacted, withOwn } from '@/stores/reactions'
import { useSession } from '@/stores/session'
import { textOf } from '@/stores/texts'
import type { Row } from '@/stores/timeline'
import { useTimelines } from '@/stores/timelines'
import { useToasts } from '@/stores/toasts'

export function useMessageActs() {
  const { t } = useI18n()
  const session = useSession()
  const timelines = useTimelines()
  const drafts = useDrafts()
  const toasts = useToasts()
  const failureText = useFailureText()

  const isOwn = (row: Row) => row.sender === session.me?.matrix_user_id
  /** A notification that is still on its way has no message yet. */
  const mayAct = (row: Row) => !session.isReader && row.liveNotification === undefined
  const mayEdit = (row: Row) => mayAct(row) && isOwn(row) && row.msg_type === 'm.text' && row.media_path === undefined
  const mayRedact = (row: Row) => mayAct(row) && (isOwn(row) || session.me?.role === 'admin')

  /** Adds or removes the user's reaction with this key. */
  async function toggleReaction(row: Row, key: string): Promise<void> {
    const { room_id, event_id } = row
    const isOn = !row.reactions.some((one) => one.key === key && one.isOwn)
    const show = (on: boolean) => timelines.changeRow(room_id, event_id, (now) => ({ ...now, reactions: withOwn(now.reactions, key, on) }))
    show(isOn)
    try {
      if (isOn) {
        const id = await react(room_id, event_id, key)
        timelines.changeRow(room_id, event_id, (now) => ({ ...now, reactions: reacted(now.reactions, key, id, true) }))
      } else await withdrawReaction(room_id, event_id, key)
    } catch (thrown) {
      show(!isOn)
      say(thrown)
    }
  }

  function reply(row: Row): void {
    drafts.change(row.room_id, { reply: { eventId: row.event_id } })
  }

  function startEdit(row: Row): void {
    drafts.change(row.room_id, { edit: { eventId: row.event_id, text: row.body } })
  }

  /** Sends the new text. Throws a `Failure`; the text stays in its field then. */
  async function edit(row: Row, body: string): Promise<void> {
    const { hub_user_ids, room } = row.mentions
    const mentions = hub_user_ids.length > 0 || room ? { hub_user_ids, room } : undefined
    const message = await editMessage(row.room_id, row.event_id, textOf(body, mentions), randomId())
    const { formatted_body, mentions: mentioned } = message
    timelines.changeRow(row.room_id, row.event_id, (now) => ({ ...now, body: message.body, formatted_body, mentions: mentioned, edited: true }))
    drafts.change(row.room_id, { edit: null })
  }

  async function redact(row: Row): Promise<void> {
    try {
      await redactMessage(row.room_id, row.event_id)
      timelines.remove(row.room_id, row.event_id)
    } catch (thrown) {
      say(thrown)
    }
  }

  function say(thrown: unknown): void {
    toasts.show({ title: t('rooms.failed'), text: failureText(failureOf(thrown)), to: null, tone: 'danger' })
  }

  return { isOwn, mayAct, mayEdit, mayRedact, toggleReaction, reply, startEdit, edit, redact }
}
