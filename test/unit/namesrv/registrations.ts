import { expect } from 'vitest'
import type { BrokerIdentity, Registration } from '../../../src/namesrv/registration.ts'
import type { RegisterOutcome } from '../../../src/namesrv/route-info-manager.ts'
import { RouteInfoManager, type RouteInfoOptions } from '../../../src/namesrv/route-info-manager.ts'
import { findRoute } from '../../../src/namesrv/topic-route.ts'
import type { RegisteredTopic, TableVersion } from '../../../src/wire/register-broker-body.ts'

const OFF: RouteInfoOptions = { notifyMinBrokerIdChanged: false, deleteTopicWithBrokerRegistration: false }

export function manager(options: Partial<RouteInfoOptions> = {}): RouteInfoManager {
  return new RouteInfoManager({ ...OFF, ...options })
}

export function topic(topicName: string, fields: Partial<RegisteredTopic> = {}): RegisteredTopic {
  return { topicName, readQueueNums: 8, writeQueueNums: 8, perm: 6, topicSysFlag: 0, ...fields }
}

export interface RegistrationFields extends Partial<Omit<Registration, 'body'>> {
  readonly topics?: readonly (string | RegisteredTopic)[]
  readonly version?: Partial<TableVersion>
}

/** A 5.x master `broker-a` of cluster C with topics A and B, unless said otherwise. */
export function registration({ topics = ['A', 'B'], version = {}, ...fields }: RegistrationFields = {}): Registration {
  const brokerId = fields.brokerId ?? 0
  return {
    clusterName: 'C',
    brokerName: 'broker-a',
    brokerId,
    brokerAddr: `10.0.0.${brokerId + 1}:10911`,
    haServerAddr: `10.0.0.${brokerId + 1}:10912`,
    timeoutMs: 120_000,
    enableActingMaster: false,
    zoneName: null,
    ...fields,
    body: {
      dataVersion: { counter: 1, stateVersion: 0, timestamp: 1, ...version },
      topics: topics.map((each) => (typeof each === 'string' ? topic(each) : each)),
      queueMappings: new Map(),
    },
  }
}

export function identity(fields: RegistrationFields = {}): BrokerIdentity {
  return registration(fields)
}

/** Registers over a connection of its own (its id the brokerId) at time 0, and must succeed. */
export function register(
  routes: RouteInfoManager,
  fields: RegistrationFields = {},
  channelId = 100 + (fields.brokerId ?? 0),
  nowMs = 0,
): Extract<RegisterOutcome, { kind: 'registered' }> {
  const outcome = routes.register(registration(fields), channelId, nowMs)
  if (outcome.kind !== 'registered') expect.fail(`not registered: ${JSON.stringify(outcome)}`)
  return outcome
}

/** `broker-a:6 0=10.0.0.1:10911,1=...` for each group that has the topic: perm and addresses; empty where there is no route. */
export function routeText(
  routes: RouteInfoManager,
  topicName: string,
  supportActingMaster = false,
  zoneName: string | null = null,
): string {
  const route = findRoute(routes.brokers, routes.topics, { topic: topicName, zoneName }, supportActingMaster)
  return (route?.brokerDatas ?? [])
    .map(({ brokerName, brokerAddrs }) => {
      const perm = route?.queueDatas.find((queues) => queues.brokerName === brokerName)?.perm
      return `${brokerName}:${perm} ${[...brokerAddrs].map(([id, addr]) => `${id}=${addr}`).join(',')}`
    })
    .join(' ')
}
