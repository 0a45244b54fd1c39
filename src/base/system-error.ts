/** What the operating system answered to a call, as Node hands it on. */
export interface SystemError extends Error {
  /** For instance ENOSPC. */
  readonly code: string
  /** Of the file or folder, where there is one. */
  readonly path?: string
}

/** What is wrong in words for people, without subject, and what can be done about it. */
export interface Explanation {
  readonly problem: string
  readonly remedy: string
}

const MORE_FILES = 'raise the limit on open files (ulimit -n)'
const A_FOLDER = 'name a folder, or one that can be made'

const EXPLANATIONS: Readonly<Record<string, Explanation>> = {
  EACCES: { problem: 'this user has no right to do that', remedy: 'give this user the right to' },
  EADDRNOTAVAIL: { problem: 'this machine has no such address', remedy: 'take one of its own, or 0.0.0.0 for all of them' },
  EAFNOSUPPORT: { problem: 'this machine does not speak this kind of address', remedy: 'take an IPv4 address' },
  EDQUOT: { problem: "this user's share of the disk is used up", remedy: 'make room' },
  EEXIST: { problem: 'a file of that name is in the way', remedy: A_FOLDER },
  EINVAL: { problem: 'the system does not take that', remedy: 'check how it is written' },
  EIO: { problem: 'the disk answers with an error', remedy: 'check the disk and the log of the system' },
  EISDIR: { problem: 'it is a folder, not a file', remedy: 'name a file' },
  ELOOP: { problem: 'its symbolic links lead in a circle', remedy: 'mend them' },
  EMFILE: { problem: 'this process has as many files open as it may', remedy: MORE_FILES },
  ENAMETOOLONG: { problem: 'the name is too long', remedy: 'take a shorter one' },
  ENFILE: { problem: 'the system has as many files open as it can', remedy: MORE_FILES },
  ENOENT: { problem: 'there is no such file or folder', remedy: 'check how it is written' },
  ENOSPC: { problem: 'no room is left on the disk', remedy: 'make room' },
  ENOTDIR: { problem: 'a part of the path is a file, not a folder', remedy: A_FOLDER },
  EPERM: { problem: 'the system does not allow it', remedy: 'give this user the right to' },
  EROFS: { problem: 'the disk is mounted read-only', remedy: 'mount it for writing' },
}

/** Codes of the system; Node's own, such as ERR_ASSERTION, and ours have an underscore. */
const SYSTEM_CODE = /^E[A-Z0-9]+$/

/** Whether the operating system said it: such an error comes from outside and is no mistake of ours. */
export function isSystemError(error: unknown): error is SystemError {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' && SYSTEM_CODE.test(error.code)
}

/** Words for a system error; its code, which people search for, stands in brackets. */
export function explainSystemError(error: SystemError): Explanation {
  const known = EXPLANATIONS[error.code]
  return {
    problem: known === undefined ? error.message : `${known.problem} (${error.code})`,
    remedy: known?.remedy ?? 'see what the system says about it',
  }
}

/** Ports below this one are open to the superuser only, on most systems. */
const FIRST_FREE_PORT = 1024

/** Why `host:port` cannot be listened on and what can be done, up to where the flag that would choose another one can follow. */
export function listenProblem(error: SystemError, host: string, port: number): string {
  const place = `${host}:${port}`
  if (error.code === 'EADDRINUSE') return `${place} is in use: stop who has it`
  if (error.code === 'EACCES' && port < FIRST_FREE_PORT) {
    return `${place} cannot be opened: this user may not open ports below ${FIRST_FREE_PORT} (EACCES); give it the right to`
  }
  const { problem, remedy } = explainSystemError(error)
  return `${place} cannot be opened: ${problem}; ${remedy}`
}
