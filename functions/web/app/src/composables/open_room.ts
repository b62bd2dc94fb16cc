// Opening a room that a call finds, joins or creates.
import { ref } from 'vue'
import { useRouter } from 'vue-router'
import { type Failure, failureOf } from '@/api/problem'
import type { Room } from '@/api/types'
import { roomPath } from '@/router/paths'
import { useRooms } from '@/stores/rooms'

export function useOpenRoom() {
  const router = useRouter()
  const rooms = useRooms()
  /** The name of the room that is being opened; empty for none. */
  const opening = ref('')
  const failure = ref<Failure | null>(null)

  /** Opens the room of the call, one at a time. Calls `opened` before the page changes. */
  async function openRoom(what: string, call: () => Promise<Room>, opened: () => void = () => {}): Promise<void> {
    if (opening.value !== '') return
    opening.value = what
    failure.value = null
    try {
      const room = await call()
      rooms.put(room)
      opened()
      await router.push(roomPath(room.matrix_room_id))
    } catch (thrown) {
      failure.value = failureOf(thrown)
    } finally {
      opening.value = ''
    }
  }

  return { opening, failure, openRoom }
}
