/** How a request ended (ResponseCode): the codes this project answers with or looks at. */
export const ResponseCode = {
  SUCCESS: 0,
  SYSTEM_ERROR: 1,
  /** Try later. Java 4.9 producers do not try another broker for it; 5.x ones do. */
  SYSTEM_BUSY: 2,
  REQUEST_CODE_NOT_SUPPORTED: 3,
  /** Stored, but not on disk in time. */
  FLUSH_DISK_TIMEOUT: 10,
  /** Stored, but fewer eligible slaves than needed. */
  SLAVE_NOT_AVAILABLE: 11,
  /** Stored, but no slave confirmed in time. */
  FLUSH_SLAVE_TIMEOUT: 12,
  MESSAGE_ILLEGAL: 13,
  /** Not stored: a slave, a full disk, a stop. Every producer tries another broker. */
  SERVICE_NOT_AVAILABLE: 14,
  NO_PERMISSION: 16,
  TOPIC_NOT_EXIST: 17,
  PULL_NOT_FOUND: 19,
  PULL_RETRY_IMMEDIATELY: 20,
  PULL_OFFSET_MOVED: 21,
  QUERY_NOT_FOUND: 22,
  SUBSCRIPTION_PARSE_FAILED: 23,
  SUBSCRIPTION_NOT_EXIST: 24,
  SUBSCRIPTION_NOT_LATEST: 25,
  SUBSCRIPTION_GROUP_NOT_EXIST: 26,
  /** 5.x; 4.9 answers SYSTEM_ERROR in its place. */
  INVALID_PARAMETER: 29,
  CONSUMER_NOT_ONLINE: 206,
} as const
