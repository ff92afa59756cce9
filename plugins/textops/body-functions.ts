import { type ArgumentDeclaration, anyRoute, type FunctionDeclaration } from '../../src/plugin/index.ts'
import { done, mediaType, messageRoutes, requestRoutes, yesNo } from './arguments.ts'

/** Functions of textops on bodies: body.ts implements them. */
const contentType = {
  name: 'content_type',
  type: 'string',
  doc: 'Value of Content-Type.',
} as const satisfies ArgumentDeclaration
const bodyText = { name: 'text', type: 'string', doc: 'The content.' } as const satisfies ArgumentDeclaration
const disposition = {
  name: 'disposition',
  type: 'string',
  optional: true,
  doc: 'Value of Content-Disposition.',
} as const satisfies ArgumentDeclaration
const target = {
  name: 'variable',
  type: 'variable',
  doc: 'Where the result goes.',
} as const satisfies ArgumentDeclaration

export const bodyFunctions = {
  has_body: {
    in: anyRoute,
    args: [{ ...mediaType, optional: true }],
    returns: yesNo,
    doc: 'Tests whether there is a body, of that type if one is given.',
  },
  set_body: {
    in: messageRoutes,
    args: [bodyText, contentType],
    returns: { 1: 'done', '-1': 'the text or the type is empty' },
    doc: 'Sets the body; Content-Type and Content-Length follow.',
  },
  set_reply_body: {
    in: requestRoutes,
    args: [bodyText, contentType],
    returns: { 1: 'done', '-1': 'the text or the type is empty' },
    doc: 'Sets the body of the answers that we send ourselves.',
  },
  filter_body: {
    in: messageRoutes,
    args: [mediaType],
    returns: done,
    doc: 'The first part of that type becomes the body. Content-Type stays: change it too.',
  },
  set_body_multipart: {
    in: [...requestRoutes, 'core-reply', 'reply'],
    args: [
      { ...bodyText, optional: true },
      { ...contentType, optional: true },
      { name: 'boundary', type: 'string', optional: true, doc: 'unique-boundary-1 if it is not given.' },
    ],
    returns: done,
    doc: 'Makes the text, or the body that is there, the one part of a multipart body.',
  },
  append_body_part: {
    in: [...requestRoutes, 'core-reply', 'reply'],
    args: [bodyText, contentType, disposition],
    returns: { 1: 'done', '-1': 'the body is no multipart' },
    doc: 'Adds a part to a multipart body.',
  },
  append_body_part_hex: {
    in: [...requestRoutes, 'core-reply', 'reply'],
    args: [bodyText, contentType, disposition],
    returns: { 1: 'done', '-1': 'the body is no multipart, or the text is not hexadecimal' },
    doc: 'The same with content in hexadecimal digits.',
  },
  get_body_part: {
    in: messageRoutes,
    args: [mediaType, target],
    returns: done,
    doc: 'The content of the first part of that type.',
  },
  get_body_part_raw: {
    in: messageRoutes,
    args: [mediaType, target],
    returns: done,
    doc: 'The same with the headers of the part and the delimiter after it.',
  },
  remove_body_part: {
    in: [...requestRoutes, 'core-reply', 'reply'],
    args: [mediaType],
    returns: done,
    doc: 'Removes the first part of that type.',
  },
  is_audio_on_hold: {
    in: messageRoutes,
    returns: { 1: 'null connection address (RFC 2543)', 2: 'sendonly or inactive', '-1': 'not on hold' },
    doc: 'Tests whether an audio stream of the session description is on hold.',
  },
} as const satisfies Record<string, FunctionDeclaration>
