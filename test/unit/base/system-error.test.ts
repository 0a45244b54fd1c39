import { AssertionError } from 'node:assert'
import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { ConfigError } from '../../../src/base/errors.ts'
import { explainSystemError, isSystemError, listenProblem } from '../../../src/base/system-error.ts'

function systemError(code: string) {
  return Object.assign(new Error(`${code}: in the words of the system`), { code })
}

test('errors of the system are told from ours and from those of Node', () => {
  let real: unknown
  try {
    readFileSync('/no/such/file')
  } catch (error) {
    real = error
  }
  expect(isSystemError(real)).toBe(true)
  for (const error of [
    new ConfigError('CONFIG_BAD_VALUE', 'x'),
    new AssertionError({ message: 'x' }),
    new Error('x'),
    'ENOENT',
    null,
  ])
    expect(isSystemError(error)).toBe(false)
})

test.each([
  ['ENOSPC', 'no room'],
  ['EACCES', 'right'],
  ['EROFS', 'read-only'],
  ['EMFILE', 'files open'],
  ['EADDRNOTAVAIL', 'address'],
])('%s is told in words, with its code and a way out', (code, words) => {
  const { problem, remedy } = explainSystemError(systemError(code))
  expect(problem).toContain(words)
  expect(problem).toContain(`(${code})`)
  expect(remedy).not.toBe('')
})

test('a code that is not known keeps the words of the system', () => {
  expect(explainSystemError(systemError('EWEIRD')).problem).toBe('EWEIRD: in the words of the system')
})

test('only a cause that is one of rights is called so', () => {
  for (const code of ['ENOSPC', 'EMFILE', 'EIO', 'EROFS', 'ENOTDIR'])
    expect(Object.values(explainSystemError(systemError(code))).join()).not.toContain('right')
})

test.each([
  ['EADDRINUSE', 80, '::1:80 is in use: stop who has it'],
  ['EACCES', 80, '::1:80 cannot be opened: this user may not open ports below 1024 (EACCES); give it the right to'],
  ['EACCES', 8080, '::1:8080 cannot be opened: this user has no right to do that (EACCES); give this user the right to'],
  ['EMFILE', 8080, '::1:8080 cannot be opened: this process has as many files open as it may (EMFILE); raise the limit'],
])('%s of port %i', (code, port, text) => {
  expect(listenProblem(systemError(code), '::1', port)).toContain(text)
})
