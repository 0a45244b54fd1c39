import { defineConfig } from 'vitest/config'
import { javaPeersMissing } from './test/helpers/java-peers.ts'

/**
 * Against released brokers of RocketMQ, which need Java 17, Maven and memory for two of them: not part of `npm test`. Where they cannot be
 * had there is nothing to run, which is said, and is a failure where everything has to be run.
 */
export default defineConfig(async () => {
  const missing = await javaPeersMissing()
  if (missing !== null && process.env.CI === 'true') throw new Error(`RocketMQ's own brokers are needed here: ${missing}`)
  if (missing !== null) process.stdout.write(`interop: nothing is run against RocketMQ's own brokers: ${missing}\n`)
  return {
    test: {
      include: missing === null ? ['test/interop/**/*.test.ts'] : [],
      passWithNoTests: missing !== null,
      globalSetup: missing === null ? ['test/helpers/build-once.ts'] : [],
      pool: 'forks',
      fileParallelism: false,
      testTimeout: 300_000,
      hookTimeout: 120_000, // brokers are ended in order, and a night's stores are large
    },
  }
})
