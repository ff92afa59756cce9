/**
 * URIs: RFC 3261 §19.1 (sip, sips), RFC 3966 (tel). A parsed URI is slices of the text; equality follows §19.1.4;
 * writers replace one part and keep all others as they were.
 */
export { asciiLower } from './bytes.ts'
export {
  withHost,
  withHostAndPort,
  withoutHeaders,
  withoutParam,
  withParam,
  withParams,
  withPassword,
  withPort,
  withScheme,
  withUser,
} from './uri-edit.ts'
export { urisEqual } from './uri-equality.ts'
export { escapeParam, escapeUser, unescapeUser } from './uri-escape.ts'
export { hostForUri, hostWithoutBrackets } from './uri-host.ts'
export { isSipUri, parseUri, readUri, type Uri, uriParam, writeUri } from './uri-parse.ts'
