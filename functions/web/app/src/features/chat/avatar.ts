// The kind of avatar of a room.
import type { Room } from '@/api/types'

/** Returns the kind of the avatar of a room. */
export function avatarOf({ room_type }: Pick<Room, 'room_type'>): 'person' | 'room' | 'machine' | 'app' {
  if (room_type === 'dm') return 'person'
  if (room_type === 'entity') return 'machine'
  return room_type === 'service' ? 'app' : 'room'
}
