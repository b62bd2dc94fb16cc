// The HTTP client of the service: adds the token, and turns responses into values or failures.
import createClient, { type Middleware } from 'openapi-fetch'
import { base } from '@/platform/address'
import { setServerTime } from '@/platform/clock'
import { ApiError, apiError, NoAnswer } from './problem'
import type { paths } from './schema'

/** The longest wait for an answer, in milliseconds: the homeserver may take 60 seconds. */
const TIMEOUT = 75_000

let token: string | null = null
let unauthorized: (error: ApiError) => void = () => {}

/** Sets the token of all requests from now on. */
export function setToken(value: string | null): void {
  token = value
}

/** Sets the listener for refused tokens. */
export function onUnauthorized(listener: (error: ApiError) => void): void {
  unauthorized = listener
}

const authentication: Middleware = {
  onRequest({ request }) {
    if (token !== null && !request.headers.has('authorization')) request.headers.set('authorization', `Bearer ${token}`)
    return request
  },
  onResponse({ response }) {
    const date = Date.parse(response.headers.get('date') ?? '')
    if (!Number.isNaN(date)) setServerTime(date)
  },
}

export const client = createClient<paths>({
  baseUrl: base,
  credentials: 'same-origin',
  cache: 'no-store',
  fetch: (request: Request) => fetch(request, { signal: AbortSignal.any([request.signal, AbortSignal.timeout(TIMEOUT)]) }),
})
client.use(authentication)

interface Answer<T> {
  data?: T
  error?: unknown
  response: Response
}

/** Returns the body of a successful answer, else throws a `Failure`. */
export async function ask<T>(request: Promise<Answer<T>>): Promise<T> {
  return (await succeeded(request)).data as T
}

/** A page of a list, with the cursor of the next one. */
export interface Page<T> {
  rows: T[]
  /** `null` on the last page. */
  next: string | null
}

/** Returns the body of a successful answer and its `X-Next-Cursor`, else throws a `Failure`. */
export async function askPage<T>(request: Promise<Answer<T>>): Promise<{ data: T; next: string | null }> {
  const { data, response } = await succeeded(request)
  return { data: data as T, next: response.headers.get('x-next-cursor') }
}

/** Returns the page of a list, with its `X-Next-Cursor`, else throws a `Failure`. */
export async function askRows<T>(request: Promise<Answer<T[]>>): Promise<Page<T>> {
  const { data: rows, next } = await askPage(request)
  return { rows, next }
}

async function succeeded<T>(request: Promise<Answer<T>>): Promise<Answer<T>> {
  let answer: Answer<T>
  try {
    answer = await request
  } catch (error) {
    throw new NoAnswer(error instanceof Error ? error.message : String(error))
  }
  if (answer.response.ok) return answer
  throw refused(apiError(answer.response.status, answer.error, (name) => answer.response.headers.get(name)))
}

/** Reports a refused token, and returns the refusal. */
export function refused(error: ApiError): ApiError {
  if (error.status === 401) unauthorized(error)
  return error
}

/** Returns the headers of requests that do not go through the client: uploads with progress. */
export function authorization(): Record<string, string> {
  return token === null ? {} : { authorization: `Bearer ${token}` }
}
