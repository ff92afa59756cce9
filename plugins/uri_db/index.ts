import { acceptedParams, definePlugin } from '../../src/plugin/index.ts'

const why = 'its checks are those of auth_db with flag 1 and of module learn'

export default definePlugin({
  name: 'uri_db',
  summary: 'Checks of users by a table of URIs.',
  ignored: why,
  params: acceptedParams(
    [
      'db_url',
      'uri_table',
      'uri_user_column',
      'uri_domain_column',
      'uri_uriuser_column',
      'subscriber_table',
      'subscriber_user_column',
      'subscriber_domain_column',
      'use_uri_table',
      'use_domain',
    ],
    why,
  ),
})
