// The paths of pages with an id.

/** Returns the path of a room. */
export const roomPath = (id: string): string => `/chat/${encodeURIComponent(id)}`

/** Returns the path of a message in its room. */
export const messagePath = (room: string, event: string): string => `${roomPath(room)}?nachricht=${encodeURIComponent(event)}`
