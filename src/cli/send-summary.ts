import type { SendMessageResponseHeader } from '../wire/headers/send-message-response-header.ts'
import { formatCount, formatDuration } from './format.ts'

/** What became of a run of sends. */
export interface SendSummary {
  readonly sent: number
  readonly ok: number
  readonly byStatus: Readonly<Record<string, number>>
  /** Still without an answer when the run was ended. */
  readonly unanswered: number
  readonly elapsedMs: number
  readonly perSecond: number
  /** Of the messages that were stored; null where none was. */
  readonly latencyP50Ms: number | null
  readonly latencyP99Ms: number | null
  /** Where the message stands, if it was a single one. */
  readonly only: SendMessageResponseHeader | null
}

/** The summary as one line. */
export function summaryText(summary: SendSummary): string {
  const { sent, byStatus, unanswered, elapsedMs, perSecond, only } = summary
  const counts = Object.entries(byStatus).map(([status, count]) => `${formatCount(count)} ${status}`)
  if (unanswered > 0) counts.push(`${formatCount(unanswered)} unanswered`)
  const what = counts.length === 0 ? 'nothing was sent' : counts.join(', ')
  if (only !== null) {
    const { msgId, queueId, queueOffset } = only
    return `${what}: queue ${queueId}, queue offset ${queueOffset}, msgId ${msgId}, ${formatDuration(elapsedMs)}`
  }
  return `sent ${formatCount(sent)} in ${formatDuration(elapsedMs)} (${formatCount(perSecond)}/s): ${what}${latencyText(summary)}`
}

function latencyText({ latencyP50Ms, latencyP99Ms }: SendSummary): string {
  if (latencyP50Ms === null || latencyP99Ms === null) return ''
  return `; latency p50 ${latencyP50Ms.toFixed(1)} ms, p99 ${latencyP99Ms.toFixed(1)} ms`
}
