// The address of the service: that of the page's `<base>`.

/** The address without a slash at its end. */
export const base = new URL('.', document.baseURI).href.replace(/\/$/, '')
