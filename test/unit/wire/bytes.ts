/** Expected bytes, put together by another way than the code under test: arrays of numbers, no Buffer writers. */
export class Bytes {
  readonly #bytes: number[] = []

  int(size: 1 | 2 | 4, value: number): this {
    for (let shift = (size - 1) * 8; shift >= 0; shift -= 8) this.#bytes.push(Math.floor(value / 2 ** shift) & 0xff)
    return this
  }

  text(text: string): this {
    this.#bytes.push(...new TextEncoder().encode(text))
    return this
  }

  raw(...bytes: number[]): this {
    this.#bytes.push(...bytes)
    return this
  }

  done(): Buffer {
    return Buffer.from(this.#bytes)
  }
}
