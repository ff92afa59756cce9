import type { Random } from '../runtime/random.ts'

/**
 * Branch parameters (RFC 3261 §8.1.1.7): the magic cookie and 128 random bits in hexadecimal. A response is
 * believed because it knows the branch, and the location learns flows from it: so it must be unguessable, not
 * only unique. Random digits are bought in bulk: one call of the generator serves 512 branches.
 */
const digitsPerBranch = 32
const branchesPerRefill = 512

/** `mark` stands before the digits: which of several workers it was (src/worker/mark.ts). */
export function branchSource(random: Random, mark = ''): () => string {
  const prefix = `z9hG4bK${mark}`
  let digits = ''
  let position = 0
  return () => {
    if (position >= digits.length) {
      digits = random.hex((branchesPerRefill * digitsPerBranch) / 2)
      position = 0
    }
    position += digitsPerBranch
    return prefix + digits.slice(position - digitsPerBranch, position)
  }
}
