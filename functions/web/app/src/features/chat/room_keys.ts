// Alt with an arrow goes to the chat above or below, in the order of the list.
import { useEventListener } from '@vueuse/core'
import { useRouter } from 'vue-router'
import { roomPath } from '@/router/paths'
import { useRooms } from '@/stores/rooms'

export function useRoomKeys(current: () => string): void {
  const router = useRouter()
  const rooms = useRooms()

  useEventListener('keydown', (event: KeyboardEvent) => {
    const step = event.key === 'ArrowUp' ? -1 : event.key === 'ArrowDown' ? 1 : 0
    if (step === 0 || !event.altKey || event.ctrlKey || event.metaKey || event.shiftKey) return
    event.preventDefault()
    const ids = rooms.sections.flatMap((section) => section.rooms.map(({ matrix_room_id }) => matrix_room_id))
    const at = ids.indexOf(current())
    const next = at < 0 ? ids[0] : ids[(at + step + ids.length) % ids.length]
    if (next !== undefined) void router.push(roomPath(next))
  })
}
