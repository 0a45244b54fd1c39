/** Something with a life: started once, stopped once, in that order (`ServiceThread` without the thread). */
export interface Service {
  /** Resolves when the service does its work. Rejects when it cannot; then nothing of it is left behind. */
  start(): Promise<void>
  /** Resolves when everything the service held is given back. Safe to call on a service that never started, and twice. */
  stop(): Promise<void>
}
