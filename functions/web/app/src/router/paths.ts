// The paths of pages with an id.

/** Returns the path of a room. */
export const roomPath = (id: string): string => `/chat/${encodeURIComponent(id)}`
