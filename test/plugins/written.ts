import { writeAnswer } from '../../src/control/answer.ts'

/** What somebody who asks gets: a method's answer, its rows and sums included, read from the JSON that it becomes. */
export async function written(answer: unknown): Promise<unknown> {
  let text = ''
  await writeAnswer(await answer, (piece) => {
    text += piece
  })
  return JSON.parse(text)
}
