/** Connections of one server. */
export const CONNECTIONS_MAX = 10_000

/** No read and no write for so long: closed (NettyServerConfig.serverChannelMaxIdleTimeSeconds). */
export const IDLE_MAX_MS = 120_000

/** Requests of one connection that wait for their answers, and their bytes. */
export const REQUESTS_IN_FLIGHT_MAX = 4096
export const REQUEST_BYTES_MAX = 64 * 1024 * 1024

/** Bytes of all requests of one server that wait for their answers. */
export const REQUEST_BYTES_TOTAL_MAX = 256 * 1024 * 1024

/** Answers of one connection that its peer has not taken. 1,000 full pull answers; who leaves more unread is cut off. */
export const UNSENT_BYTES_MAX = 256 * 1024 * 1024

/** Requests of ours to one peer that wait for their answers (NettyServerConfig.serverAsyncSemaphoreValue). */
export const CALLS_PENDING_MAX = 64

/** A peer that has so much of its answers unread is sent no requests of ours. */
export const UNSENT_BYTES_FOR_CALLS_MAX = 1024 * 1024
