import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { RouteInfoManager } from '../../../src/namesrv/route-info-manager.ts'
import { identity, manager, type RegistrationFields, registration } from './registrations.ts'

/** One broker, as one line of a list: no index that could be wrong. */
interface Line {
  readonly cluster: string
  readonly name: string
  readonly id: number
  readonly addr: string
  readonly epoch: number
  readonly counter: number
  readonly channel: number
  readonly timeoutMs: number
  heardMs: number
}

interface TopicLine {
  readonly topic: string
  readonly name: string
  perm: number
}

type Step =
  | { readonly op: 'register'; readonly fields: RegistrationFields; readonly channel: number }
  | { readonly op: 'unregister' | 'heartbeat'; readonly fields: RegistrationFields }
  | { readonly op: 'close'; readonly channel: number }
  | { readonly op: 'pass'; readonly ms: number }

/** The rules once more, written to be read, not to be fast. */
class Model {
  lines: Line[] = []
  topics: TopicLine[] = []
  acting = new Map<string, boolean>()

  register(fields: RegistrationFields, channel: number, nowMs: number): string {
    const {
      clusterName,
      brokerName: name,
      brokerId: id,
      brokerAddr: addr,
      enableActingMaster,
      timeoutMs,
      body,
    } = registration(fields)
    const { stateVersion: epoch, counter } = body.dataVersion
    const isAwake = (line: Line) => line.channel !== channel && nowMs - line.heardMs < 65_000
    const named = this.lines.filter((line) => line.name === name)
    if (named.some((line) => line.cluster !== clusterName && line.addr !== addr && isAwake(line))) return 'refused'
    const group = named.filter((line) => line.cluster === clusterName)
    const holder = group.find((line) => line.id === id && line.addr !== addr)
    if (holder !== undefined && holder.epoch > epoch) {
      this.leave((line) => line.name === name && line.cluster === clusterName && line.addr === addr)
      return 'outdated'
    }
    if (holder !== undefined && holder.epoch === epoch && isAwake(holder)) return 'refused'
    const isFirst = !group.some((line) => line.id === id)
    if (isFirst && body.topics.length === 1) return 'refused'
    if (group.length === 0) {
      this.lines = this.lines.filter((line) => line.name !== name)
      this.topics = this.topics.filter((line) => line.name !== name)
    }
    const before = group.find((line) => line.addr === addr)
    const isChanged = before === undefined || before.epoch !== epoch || before.counter !== counter
    this.lines = this.lines.filter((line) => line.name !== name || (line.addr !== addr && line.id !== id))
    this.lines.push({ cluster: clusterName, name, id, addr, epoch, counter, channel, timeoutMs, heardMs: nowMs })
    this.acting.set(name, enableActingMaster === true)
    const isSmallest = this.lines.every((line) => line.name !== name || line.id >= id)
    if (id === 0 || (enableActingMaster !== null && isSmallest)) {
      for (const { topicName, perm } of body.topics) {
        const known = this.topics.find((line) => line.name === name && line.topic === topicName)
        if (known !== undefined && !isFirst && !isChanged) continue
        this.topics = this.topics.filter((line) => line !== known)
        this.topics.push({ topic: topicName, name, perm: id !== 0 && enableActingMaster === true ? perm & ~2 : perm })
      }
    }
    return 'registered'
  }

  leave(isGone: (line: Line) => boolean): void {
    for (const gone of this.lines.filter(isGone)) {
      this.lines = this.lines.filter((line) => line !== gone)
      const left = this.lines.filter((line) => line.name === gone.name)
      if (left.length === 0) this.topics = this.topics.filter((line) => line.name !== gone.name)
      else if (this.acting.get(gone.name) === true && left.every((line) => line.id !== 0)) {
        for (const line of this.topics) if (line.name === gone.name) line.perm &= ~2
      }
    }
  }
}

const fields = fc.record({
  clusterName: fc.constantFrom('C', 'C', 'C', 'D'),
  brokerName: fc.constantFrom('a', 'b'),
  brokerId: fc.integer({ min: 0, max: 2 }),
  brokerAddr: fc.constantFrom('h:1', 'h:2', 'h:3', 'h:4'),
  enableActingMaster: fc.constantFrom(null, false, true),
  timeoutMs: fc.constantFrom(10_000, 120_000),
  topics: fc.subarray(['T0', 'T1', 'T2', 'T3']),
  version: fc.record({ stateVersion: fc.integer({ min: 0, max: 1 }), counter: fc.integer({ min: 0, max: 1 }) }),
})
const channel = fc.integer({ min: 1, max: 3 })
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 6, arbitrary: fc.record({ op: fc.constant('register' as const), fields, channel }) },
  { weight: 2, arbitrary: fc.record({ op: fc.constantFrom('unregister' as const, 'heartbeat' as const), fields }) },
  { weight: 1, arbitrary: fc.record({ op: fc.constant('close' as const), channel }) },
  { weight: 2, arbitrary: fc.record({ op: fc.constant('pass' as const), ms: fc.constantFrom(5_000, 30_000, 65_000, 130_000) }) },
)

function brokersOf(routes: RouteInfoManager): string[] {
  return [...routes.brokers.groups()]
    .flatMap(({ cluster, brokerName, members }) =>
      [...members].map(([id, { addr, channelId }]) => `${cluster} ${brokerName} ${id} ${addr} ${channelId}`),
    )
    .sort()
}

function topicsOf(routes: RouteInfoManager): string[] {
  return [...routes.topics.names()]
    .flatMap((topic) => [...(routes.topics.groupsOf(topic) ?? [])].map(([name, { perm }]) => `${topic} ${name} ${perm}`))
    .sort()
}

test('any sequence of comings and goings leaves what the plain rules say, seen from either side', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
      const routes = manager()
      const model = new Model()
      let nowMs = 0
      for (const each of steps) {
        if (each.op === 'register') {
          const outcome = routes.register(registration(each.fields), each.channel, nowMs)
          expect(outcome.kind).toBe(model.register(each.fields, each.channel, nowMs))
        } else if (each.op === 'close') {
          routes.channelClosed(each.channel)
          model.leave((line) => line.channel === each.channel)
        } else if (each.op === 'pass') {
          nowMs += each.ms
          routes.expire(nowMs)
          model.leave((line) => nowMs - line.heardMs > line.timeoutMs)
        } else {
          const { clusterName, brokerName, brokerAddr } = identity(each.fields)
          const isMeant = (line: Line) => line.cluster === clusterName && line.name === brokerName && line.addr === brokerAddr
          if (each.op === 'unregister') {
            routes.unregister(identity(each.fields))
            model.leave(isMeant)
          } else {
            routes.heartbeat(identity(each.fields), nowMs)
            for (const line of model.lines) if (isMeant(line)) line.heardMs = nowMs
          }
        }
        expect(brokersOf(routes)).toEqual(
          model.lines.map(({ cluster, name, id, addr, channel }) => `${cluster} ${name} ${id} ${addr} ${channel}`).sort(),
        )
        expect(topicsOf(routes)).toEqual(model.topics.map(({ topic, name, perm }) => `${topic} ${name} ${perm}`).sort())
        expect(routes.topics.size).toBe(model.topics.length)
        for (const name of ['a', 'b']) {
          expect([...routes.topics.topicsOf(name)].sort()).toEqual(
            model.topics
              .filter((line) => line.name === name)
              .map(({ topic }) => topic)
              .sort(),
          )
        }
      }
    }),
    { numRuns: 500 },
  )
})
