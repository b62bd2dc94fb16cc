// The kinds of rooms.
import type { AdministeredRoom } from '@/api/admin'

export const ROOM_TYPES = ['general', 'dm', 'entity', 'service', 'custom'] as const

const AVATARS = { general: 'room', dm: 'person', entity: 'machine', service: 'app', custom: 'room' } as const
export const avatarOf = ({ room_type }: AdministeredRoom) => AVATARS[room_type]
