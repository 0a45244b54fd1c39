import { execFileSync } from 'node:child_process'

/** Integration tests run the built command line, so it must be the one of this source. */
export default function buildOnce(): void {
  execFileSync('npm', ['run', '--silent', 'build'], { stdio: 'inherit' })
}
