import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { FrameCutter } from '../../src/wire/frame-cutter.ts'
import { decodeRemotingCommand, type RemotingCommand } from '../../src/wire/remoting-command.ts'

/*
 * Conversations with RocketMQ's own processes, kept as they went over the wire: test/golden/recorded holds one file for each, written by
 * test/interop/record.test.ts and read by tests that have no Java.
 */

const FOLDER = new URL('../golden/recorded/', import.meta.url)

/** Who opened the connection, and who was called. */
export type Side = 'client' | 'server'

/** Bytes that one side sent before the other said anything. */
export interface RecordedChunk {
  /** Place of the connection among those of the conversation, from 0. */
  readonly connection: number
  readonly from: Side
  readonly hex: string
}

export interface RecordedConversation {
  /** Who the sides are, with their versions. */
  readonly client: string
  readonly server: string
  /** In the order in which the bytes came by. */
  readonly chunks: readonly RecordedChunk[]
}

export function readConversation(name: string): RecordedConversation {
  return JSON.parse(readFileSync(new URL(`${name}.json`, FOLDER), 'utf8')) as RecordedConversation
}

export function writeConversation(name: string, conversation: RecordedConversation): void {
  mkdirSync(FOLDER, { recursive: true })
  writeFileSync(new URL(`${name}.json`, FOLDER), `${JSON.stringify(conversation, null, 2)}\n`)
}

/** Everything that one side sent on one connection. */
export function bytesFrom({ chunks }: RecordedConversation, from: Side, connection: number): Buffer {
  const parts = chunks.filter((chunk) => chunk.from === from && chunk.connection === connection)
  return Buffer.concat(parts.map(({ hex }) => Buffer.from(hex, 'hex')))
}

/** Every remoting command that one side sent, connection by connection, with the whole frame it came in; a frame cut off at the end is left out. */
export function commandsFrom(conversation: RecordedConversation, from: Side): { command: RemotingCommand; frame: Buffer }[] {
  const commands: { command: RemotingCommand; frame: Buffer }[] = []
  const connections = new Set(conversation.chunks.map(({ connection }) => connection))
  for (const connection of connections) {
    new FrameCutter().push(bytesFrom(conversation, from, connection), (view) => {
      const length = Buffer.alloc(4)
      length.writeInt32BE(view.length)
      const frame = Buffer.concat([length, view])
      commands.push({ command: decodeRemotingCommand(frame.subarray(4)), frame })
    })
  }
  return commands
}
