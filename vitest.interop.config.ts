import { defineConfig } from 'vitest/config'

/** Against released brokers of RocketMQ, which need Java 17, Maven and memory for two of them: not part of `npm test`. */
export default defineConfig({
  test: {
    include: ['test/interop/**/*.test.ts'],
    globalSetup: ['test/helpers/build-once.ts'],
    pool: 'forks',
    fileParallelism: false,
    testTimeout: 300_000,
  },
})
