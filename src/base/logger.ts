/**
 * The log as every part sees it; pino fulfils it (platform/pino-logger). Messages are constant texts, data goes into fields,
 * so a line can be searched by its text and read by a machine.
 */
export interface Logger {
  debug(fields: object, message: string): void
  info(fields: object, message: string): void
  warn(fields: object, message: string): void
  error(fields: object, message: string): void
  /** A logger that adds `fields` to each of its lines. */
  child(fields: object): Logger
}

function nothing(): void {}

/** Swallows everything: for tools and tests that do not look at the log. */
export const silentLogger: Logger = {
  debug: nothing,
  info: nothing,
  warn: nothing,
  error: nothing,
  child: () => silentLogger,
}
