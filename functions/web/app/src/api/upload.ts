// Uploads with progress, which `fetch` does not report.
import { base } from '@/platform/address'
import { authorization, refused } from './client'
import { apiError, NoAnswer } from './problem'
import type { Message } from './types'

export interface Upload {
  /** Rejects with a `Failure`, or with an `AbortError` after `cancel`. */
  readonly done: Promise<Message>
  cancel(): void
}

/** Sends a file into a room. `onProgress` gets the fraction that was sent, 0 to 1. */
export function upload(room: string, file: File, txnId: string, onProgress: (part: number) => void): Upload {
  const form = new FormData()
  form.append('room_id', room)
  form.append('txn_id', txnId)
  form.append('file', file, file.name)
  const request = new XMLHttpRequest()
  const done = new Promise<Message>((resolve, reject) => {
    request.upload.onprogress = ({ loaded, total }) => onProgress(total > 0 ? loaded / total : 0)
    request.onerror = () => reject(new NoAnswer('the connection broke'))
    request.onabort = () => reject(new DOMException('cancelled', 'AbortError'))
    request.onload = () => {
      const body: unknown = parsed(request.responseText)
      if (request.status === 200) resolve(body as Message)
      else reject(refused(apiError(request.status, body, (name) => request.getResponseHeader(name))))
    }
  })
  request.open('POST', `${base}/api/v1/messages/upload`)
  for (const [name, value] of Object.entries(authorization())) request.setRequestHeader(name, value)
  request.send(form)
  return { done, cancel: () => request.abort() }
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return null
  }
}
