import { WireError } from '../base/errors.ts'
import type { Clock } from '../platform/clock.ts'
import { deflated } from '../platform/deflate.ts'
import { registerBodyJson, registerBodyParts } from '../wire/register-broker-body-writer.ts'
import { joinedInSlices } from './in-slices.ts'
import type { RegistrationBody } from './name-server-client.ts'
import { PERM_READ, PERM_WRITE, type TopicConfig } from './topic-config.ts'
import type { TopicConfigManager } from './topic-config-manager.ts'

/** A frame holds 16 MiB; the rest is for its header. Some 80,000 topics. */
const BODY_SIZE_MAX = 16 * 1024 ** 2 - 64 * 1024

export interface RegistrationBodyOptions {
  /** Bits of PermName; what is missing here no topic has. */
  readonly brokerPermission: number
  readonly compressedRegister: boolean
}

/**
 * What a registration says of the topics, made over several turns of the loop.
 * @param names of the topics that have changed; null for all. Those that are gone are left out: a name server takes no deletions
 * @throws (rejection) WireError WIRE_BODY_SIZE where the table does not fit into a frame
 */
export async function registrationBody(
  clock: Clock,
  topics: TopicConfigManager,
  names: ReadonlySet<string> | null,
  { brokerPermission, compressedRegister }: RegistrationBodyOptions,
): Promise<RegistrationBody> {
  const version = topics.dataVersion // before the topics: what changes meanwhile has a newer one, and is told again
  const chosen = names === null ? null : [...names].flatMap((name) => topics.find(name)?.config ?? [])
  const mask = brokerPermission & (PERM_READ | PERM_WRITE)
  const told = function* (): Generator<TopicConfig, void, undefined> {
    for (const config of chosen ?? topics.configs())
      yield mask === (PERM_READ | PERM_WRITE) ? config : { ...config, perm: config.perm & mask }
  }
  const pieces = compressedRegister
    ? registerBodyParts(version, [...told()], chosen?.length ?? topics.count)
    : registerBodyJson(version, told())
  const bytes = await joinedInSlices(clock, pieces, compressedRegister ? BODY_SIZE_MAX * 4 : BODY_SIZE_MAX)
  const body = bytes === null ? null : compressedRegister ? await deflated(bytes) : bytes
  if (body === null || body.length > BODY_SIZE_MAX) {
    throw new WireError('WIRE_BODY_SIZE', `the topics do not fit into a registration of ${BODY_SIZE_MAX} bytes`, {
      topics: topics.count,
    })
  }
  return { bytes: body, isCompressed: compressedRegister }
}
