import { expect, test } from 'vitest'
import { nodePlatform } from '../../../src/platform/node-platform.ts'

test('two platforms have their own random numbers', () => {
  const [a, b] = [nodePlatform(), nodePlatform()]
  const draw = (platform: typeof a) => Array.from({ length: 4 }, () => platform.random.next())
  expect(draw(a)).not.toEqual(draw(b))
})
