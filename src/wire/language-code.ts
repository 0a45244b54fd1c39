/** What a peer is written in (LanguageCode); the place in this list is the byte of the binary header. */
const LANGUAGE_NAMES = [
  'JAVA',
  'CPP',
  'DOTNET',
  'PYTHON',
  'DELPHI',
  'ERLANG',
  'RUBY',
  'OTHER',
  'HTTP',
  'GO',
  'PHP',
  'OMS',
  'RUST',
  'NODE_JS',
] as const

export type LanguageName = (typeof LANGUAGE_NAMES)[number]

const ORDINALS: ReadonlyMap<string, number> = new Map(LANGUAGE_NAMES.map((name, ordinal) => [name, ordinal]))

/** The name for a byte of the binary header; OTHER for one we do not know. */
export function languageFromOrdinal(ordinal: number): LanguageName {
  return LANGUAGE_NAMES[ordinal] ?? 'OTHER'
}

/** The name for a text of the JSON header; OTHER for one we do not know. */
export function languageFromName(name: string): LanguageName {
  return languageFromOrdinal(ORDINALS.get(name) ?? -1)
}

/** The byte of the binary header. */
export function languageOrdinal(name: LanguageName): number {
  return LANGUAGE_NAMES.indexOf(name)
}
