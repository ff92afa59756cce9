import { closeSync, constants, ftruncateSync, openSync, unlinkSync, writeSync } from 'node:fs'

/**
 * `-P`: opened while we may still write where such files are (/run belongs to root), written once the router runs,
 * removed when it stops; emptied where it cannot be removed any more.
 */
export class PidFile {
  readonly #path: string
  readonly #file: number

  /** @throws Error if the file cannot be written. What it holds stays until `write`. */
  constructor(path: string) {
    this.#path = path
    try {
      this.#file = openSync(path, constants.O_WRONLY | constants.O_CREAT, 0o644)
    } catch (cause) {
      throw new Error(`cannot write the pid file ${path} (-P): ${(cause as Error).message}`, { cause })
    }
  }

  write(pid: number): void {
    ftruncateSync(this.#file)
    writeSync(this.#file, `${pid}\n`, 0)
  }

  remove(): void {
    try {
      unlinkSync(this.#path)
    } catch {
      ftruncateSync(this.#file)
    }
    closeSync(this.#file)
  }
}
