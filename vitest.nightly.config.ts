import { defineConfig } from 'vitest/config'

/** Runs of many minutes: not part of `npm test`. */
export default defineConfig({
  test: {
    include: ['test/nightly/**/*.test.ts'],
    globalSetup: ['test/helpers/build-once.ts'],
    reporters: ['default', './test/helpers/closing-line-reporter.ts'],
    pool: 'forks',
    fileParallelism: false,
  },
})
