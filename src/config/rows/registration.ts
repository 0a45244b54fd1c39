import type { ConfigRow } from '../config-types.ts'
import { INT32_MAX } from './common.ts'

/** How this broker is kept known to name servers. */
export const REGISTRATION_ROWS = [
  {
    name: 'registerNameServerPeriod',
    type: 'integer',
    min: 1,
    max: INT32_MAX,
    unit: 'ms',
    default: 30_000,
    doc: 'How often this broker tells each name server that it lives; less than 10000 counts as 10000, more than 60000 as 60000.',
  },
  {
    name: 'registerBrokerTimeoutMills',
    type: 'integer',
    min: 1,
    max: INT32_MAX,
    unit: 'ms',
    default: 24_000,
    doc: 'How long a name server may take to answer that. Each is asked on its own, so a slow one keeps no other waiting.',
  },
  {
    name: 'forceRegister',
    type: 'boolean',
    default: true,
    doc: 'Tell all topics each time. false: only to a name server that does not hold this version of them; slaves always do, to learn their master.',
  },
  {
    name: 'compressedRegister',
    type: 'boolean',
    default: false,
    doc: 'Compress what name servers are told. Name servers of RocketMQ 4.9 and 5 read that.',
  },
  {
    name: 'fetchNamesrvAddrByAddressServer',
    type: 'boolean',
    default: false,
    doc: 'Where namesrvAddr is not set: get the name servers by HTTP from the address server.',
  },
  {
    name: 'fetchNamesrvAddrInterval',
    type: 'integer',
    min: 100,
    max: INT32_MAX,
    unit: 'ms',
    default: 10_000,
    doc: 'How often the address server is asked.',
  },
  {
    name: 'rmqAddressServerDomain',
    type: 'name',
    default: 'jmenv.tbsite.net',
    doc: 'HOST or HOST:PORT of the address server; port 8080 unless it says otherwise.',
  },
  {
    name: 'rmqAddressServerSubGroup',
    type: 'name',
    default: 'nsaddr',
    doc: 'The last part of the address asked for: http://DOMAIN/rocketmq/SUBGROUP.',
  },
] as const satisfies readonly ConfigRow[]
