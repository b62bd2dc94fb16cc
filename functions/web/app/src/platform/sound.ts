// Sounds: two tones for an urgent notification, one for a message. A browser plays none before
// the first tap of its user.
import { readonly, ref } from 'vue'

export type Sound = 'urgent' | 'message'

/** Frequency in hertz, begin and length in seconds. */
const TONES: Record<Sound, readonly [number, number, number][]> = {
  urgent: [[880, 0, 0.18], [660, 0.22, 0.18], [880, 0.44, 0.28]],
  message: [[740, 0, 0.12]],
}
const LOUDNESS = { urgent: 0.35, message: 0.12 }

export class SoundPlayer {
  readonly #isBlocked = ref(false)
  #context: AudioContext | null = null

  /** Whether the browser waits for a tap before it plays a sound. */
  readonly isBlocked = readonly(this.#isBlocked)

  /** Plays a sound, or reports that it is blocked. */
  play(sound: Sound): void {
    const context = this.#open()
    if (context === null) return
    if (context.state === 'suspended') {
      this.#isBlocked.value = true
      void this.unlock()
      return
    }
    this.#isBlocked.value = false
    for (const [frequency, begin, length] of TONES[sound]) tone(context, frequency, begin, length, LOUDNESS[sound])
  }

  /** Asks the browser to allow sounds; after a tap it does. */
  async unlock(): Promise<void> {
    const context = this.#open()
    if (context === null) return
    await Promise.race([context.resume(), new Promise((resolve) => setTimeout(resolve, 500))])
    if (context.state === 'running') this.#isBlocked.value = false
  }

  close(): void {
    void this.#context?.close()
    this.#context = null
  }

  #open(): AudioContext | null {
    if (typeof AudioContext === 'undefined') return null
    this.#context ??= new AudioContext()
    return this.#context
  }
}

function tone(context: AudioContext, frequency: number, begin: number, length: number, loudness: number): void {
  const [oscillator, gain] = [context.createOscillator(), context.createGain()]
  const start = context.currentTime + begin
  oscillator.frequency.value = frequency
  // A tone that begins and ends at once would click.
  gain.gain.setValueAtTime(0, start)
  gain.gain.linearRampToValueAtTime(loudness, start + 0.02)
  gain.gain.setValueAtTime(loudness, start + length - 0.04)
  gain.gain.linearRampToValueAtTime(0, start + length)
  oscillator.connect(gain).connect(context.destination)
  oscillator.start(start)
  oscillator.stop(start + length)
}
