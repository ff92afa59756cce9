import { plain, type Transformations } from './declare.ts'

/** Class `url`: parts of an HTTP request target. */
export const urlTransformations: Transformations = {
  'url.path': plain('What stands before the question mark.', (value) => value.split('?', 1)[0] ?? ''),
  'url.querystring': plain('What follows the question mark.', (value) => {
    const mark = value.indexOf('?')
    return mark < 0 ? '' : value.slice(mark + 1)
  }),
}
