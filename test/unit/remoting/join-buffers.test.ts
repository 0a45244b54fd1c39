import fc from 'fast-check'
import { expect, test } from 'vitest'
import { joinSmallBuffers } from '../../../src/remoting/join-buffers.ts'

test('the bytes stay the same, small neighbours become one, large buffers are not copied', () => {
  const buffers = fc.array(fc.oneof(fc.constantFrom(0, 1, 10, 8191), fc.constantFrom(8192, 20_000)), { maxLength: 12 })
  fc.assert(
    fc.property(buffers, (sizes) => {
      const given = sizes.map((size, i) => Buffer.alloc(size, i))
      const joined = joinSmallBuffers(given)
      expect(Buffer.concat(joined).equals(Buffer.concat(given))).toBe(true)
      for (const large of given.filter(({ length }) => length >= 8192)) expect(joined).toContain(large)
      if (given.length < 2) return
      for (let i = 1; i < joined.length; i++)
        expect((joined[i - 1]?.length ?? 0) >= 8192 || (joined[i]?.length ?? 0) >= 8192 || isRun(joined, i)).toBe(true)
    }),
  )
})

/** A joined run may itself be large. */
function isRun(joined: readonly Buffer[], i: number): boolean {
  return (joined[i - 1]?.length ?? 0) + (joined[i]?.length ?? 0) >= 8192
}
