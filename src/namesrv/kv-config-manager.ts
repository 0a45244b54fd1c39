import { ConfigError } from '../base/errors.ts'
import { loadConfigFile, replaceConfigFile } from '../platform/config-file.ts'
import type { FileSystem } from '../platform/file-system.ts'
import { KV_CHARACTERS_MAX, KV_ENTRIES_MAX, KV_NAME_LENGTH_MAX, KV_VALUE_LENGTH_MAX } from './namesrv-limits.ts'

/** The only namespace that brokers read: topic → `broker-a:4;broker-b:4` (NamesrvUtil.NAMESPACE_ORDER_TOPIC_CONFIG). */
export const ORDER_TOPIC_CONFIG = 'ORDER_TOPIC_CONFIG'

/** Namespaces of keys and values, the one thing a name server keeps on disk (KVConfigManager). */
export class KvConfigManager {
  readonly #fileSystem: FileSystem
  readonly #path: string
  readonly #namespaces = new Map<string, Map<string, string>>()
  #entries = 0
  #characters = 0

  constructor(fileSystem: FileSystem, path: string) {
    this.#fileSystem = fileSystem
    this.#path = path
  }

  /**
   * @throws ConfigError CONFIG_BAD_FILE where the file holds something else: written over, it would be lost; StoreError STORE_DAMAGED where it
   *   cannot be read
   */
  load(): void {
    const content = loadConfigFile(this.#fileSystem, this.#path)
    for (const [namespace, table] of members(content?.configTable)) {
      for (const [key, value] of members(table)) {
        if (typeof value !== 'string') throw this.#badFile()
        this.#set(namespace, key, value)
      }
    }
  }

  get(namespace: string, key: string): string | null {
    return this.#namespaces.get(namespace)?.get(key) ?? null
  }

  /** All of a namespace, null where it has nothing. */
  namespace(namespace: string): ReadonlyMap<string, string> | null {
    return this.#namespaces.get(namespace) ?? null
  }

  /**
   * Sets a value and writes the file. What cannot be written is kept until the next change writes it.
   * @returns why it was not taken, or null
   * @throws NodeJS.ErrnoException where the file cannot be written
   */
  put(namespace: string, key: string, value: string): string | null {
    const before = this.get(namespace, key)
    const added = before === null ? namespace.length + key.length + value.length : value.length - before.length
    if (namespace.length > KV_NAME_LENGTH_MAX || key.length > KV_NAME_LENGTH_MAX)
      return `namespace or key is longer than ${KV_NAME_LENGTH_MAX} characters`
    if (value.length > KV_VALUE_LENGTH_MAX) return `the value is longer than ${KV_VALUE_LENGTH_MAX} characters`
    if (before === null && this.#entries >= KV_ENTRIES_MAX) return `there are ${KV_ENTRIES_MAX} entries already`
    if (this.#characters + added > KV_CHARACTERS_MAX)
      return `all entries together are longer than ${KV_CHARACTERS_MAX} characters`
    this.#set(namespace, key, value)
    this.#persist()
    return null
  }

  /** Removes a value, where there is one, and writes the file. @throws NodeJS.ErrnoException as `put` */
  delete(namespace: string, key: string): void {
    const table = this.#namespaces.get(namespace)
    const value = table?.get(key)
    if (table === undefined || value === undefined) return
    table.delete(key)
    if (table.size === 0) this.#namespaces.delete(namespace)
    this.#entries--
    this.#characters -= namespace.length + key.length + value.length
    this.#persist()
  }

  #set(namespace: string, key: string, value: string): void {
    const before = this.get(namespace, key)
    const table = this.#namespaces.get(namespace) ?? new Map<string, string>()
    this.#namespaces.set(namespace, table.set(key, value))
    if (before === null) this.#entries++
    this.#characters += before === null ? namespace.length + key.length + value.length : value.length - before.length
  }

  #persist(): void {
    const tables = [...this.#namespaces].map(([namespace, table]) => [namespace, Object.fromEntries(table)] as const)
    replaceConfigFile(this.#fileSystem, this.#path, JSON.stringify({ configTable: Object.fromEntries(tables) }))
  }

  #badFile(): ConfigError {
    const remedy = 'put the right one there, or take it away to begin with an empty table'
    return new ConfigError('CONFIG_BAD_FILE', `${this.#path} holds no table of keys and values; ${remedy}`, { file: this.#path })
  }
}

function members(value: unknown): [string, unknown][] {
  return typeof value === 'object' && value !== null ? Object.entries(value) : []
}
