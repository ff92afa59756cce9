import { acceptedParams, definePlugin } from '../../src/plugin/index.ts'

const why = 'the trace of a message tells which statements ran'

export default definePlugin({
  name: 'debugger',
  summary: 'Traces a script step by step.',
  ignored: why,
  params: acceptedParams(
    [
      'cfgtrace',
      'cfgtrace_level',
      'cfgtrace_facility',
      'cfgtrace_prefix',
      'cfgtrace_lname',
      'breakpoint',
      'cfgpkgcheck',
      'cfgtest',
      'mod_hash_size',
      'mod_level_mode',
      'mod_level',
      'mod_facility_mode',
      'mod_facility',
      'reset_msgid',
      'log_level',
      'log_level_name',
      'log_facility',
      'log_prefix',
      'log_assign',
      'step_usleep',
      'step_loops',
    ],
    why,
  ),
})
