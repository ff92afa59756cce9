import {
  ArgumentProblem,
  anyRoute,
  DatabaseError,
  definePlugin,
  type ParamDeclaration,
  type RouteContext,
} from '../../src/plugin/index.ts'
import type { AddressRule, AddressTable } from './address-table.ts'
import { allowRegister, allowRouting, allowUri, checkFileName, RuleFileTable } from './routing.ts'
import { type AddressSources, parseAddressLine, readAddresses } from './sources.ts'
import { findTrusted, readTrusted, type TrustedRule } from './trusted.ts'

/** Bits of load_backends. */
const Backend = { address: 1, trusted: 2 } as const

const defaultGroup = 1

const params = {
  address: {
    type: 'string',
    repeatable: true,
    check: (value) => void parseAddressLine(String(value)),
    doc: 'One address: "group address [mask [port [tag]]]", such as "1 10.0.0.0 8". May be given several times.',
  },
  address_file: { type: 'string', doc: 'A file of such lines.' },
  db_url: { type: 'string', doc: 'sqlite:////path/to/file with the tables address and trusted.' },
  load_backends: {
    type: 'int',
    default: 65_535,
    doc: 'Which tables are read from db_url: 1 address, 2 trusted. By default both, trusted only if there is one.',
  },
  address_table: sqlName('address'),
  grp_col: sqlName('grp'),
  ip_addr_col: sqlName('ip_addr'),
  mask_col: sqlName('mask'),
  port_col: sqlName('port'),
  tag_col: sqlName('tag'),
  trusted_table: sqlName('trusted'),
  source_col: sqlName('src_ip'),
  proto_col: sqlName('proto'),
  from_col: sqlName('from_pattern'),
  ruri_col: sqlName('ruri_pattern'),
  peer_tag_avp: { type: 'variable', doc: 'Gets the tag of the rule that matched: "$avp(tag)".' },
  peer_tag_mode: ignored('the first rule that matches gives its tag'),
  db_mode: ignored('tables are always kept in memory'),
  max_subnets: ignored('there is no fixed number of subnets'),
  reload_delta: ignored('reloading is not limited'),
  safe_file_load: ignored('a file with a wrong line is never taken'),
  trusted_cleanup_interval: ignored('old tables go at once'),
  default_allow_file: {
    type: 'string',
    default: 'permissions.allow',
    doc: 'Rules that allow, for allow_routing() without a name: lines "FROM" : "REQUEST-URI".',
  },
  default_deny_file: {
    type: 'string',
    default: 'permissions.deny',
    doc: 'Rules that deny what no rule allows.',
  },
  check_all_branches: { type: 'int', default: 1, doc: 'allow_routing() looks at further branches too.' },
  allow_suffix: {
    type: 'string',
    default: '.allow',
    doc: 'Of files that allow, if the script names both by one.',
  },
  deny_suffix: { type: 'string', default: '.deny', doc: 'Of files that deny.' },
} as const satisfies Record<string, ParamDeclaration>

const isAllowed = { 1: 'Yes.', '-1': 'No.' } as const
const group = { name: 'group', type: 'int', doc: 'The group that is asked.' } as const
const address = { name: 'address', type: 'string', doc: 'An address or host name.' } as const
const file = {
  name: 'file',
  type: 'literal',
  prepare: checkFileName,
  doc: 'Both files without their suffixes, or the one that allows.',
} as const
const denyFile = {
  name: 'deny file',
  type: 'literal',
  optional: true,
  prepare: checkFileName,
  doc: 'The one that denies.',
} as const
const port = { name: 'port', type: 'int', doc: 'A port; rules with port 0 match any.' } as const

export default definePlugin({
  name: 'permissions',
  summary: "Who may send without a password, by source address (Kamailio's permissions).",
  params,
  functions: {
    allow_source_address: {
      in: anyRoute,
      args: [{ ...group, optional: true }],
      returns: isAllowed,
      doc: 'Is the source of this message in a group? Group 1 if none is named.',
    },
    allow_address: {
      in: anyRoute,
      args: [group, address, port],
      returns: isAllowed,
      doc: 'Is an address in a group?',
    },
    allow_source_address_group: {
      in: anyRoute,
      returns: { '1...': 'The group.', '-1': 'In none.' },
      doc: 'In which group is the source of this message?',
    },
    allow_address_group: {
      in: anyRoute,
      args: [address, port],
      returns: { '1...': 'The group.', '-1': 'In none.' },
      doc: 'In which group is an address?',
    },
    allow_trusted: {
      in: anyRoute,
      args: [
        { ...address, optional: true },
        {
          name: 'transport',
          type: 'string',
          optional: true,
          doc: 'udp, tcp, ...; that of the message if absent.',
        },
        { name: 'from', type: 'string', optional: true, doc: 'The From URI; that of the message if absent.' },
      ],
      returns: isAllowed,
      doc: 'Does table trusted let this source, or an address, send this?',
    },
    allow_routing: {
      in: ['request', 'failure'],
      args: [{ ...file, optional: true }, denyFile],
      returns: isAllowed,
      doc: 'May this From have this Request-URI and these branches? By files of rules; without any all may.',
    },
    allow_register: {
      in: ['request', 'failure'],
      args: [file, denyFile],
      returns: isAllowed,
      doc: 'May this To have these Contacts? By files of rules.',
    },
    allow_uri: {
      in: ['request', 'failure'],
      args: [file, { name: 'uri', type: 'string', doc: 'A URI.' }],
      returns: isAllowed,
      doc: 'May this From have that URI? By files of rules.',
    },
  },
  rpc: {
    'permissions.addressReload': {
      doc: 'Reads all addresses again; the old ones stay if anything is wrong.',
      workers: 'every',
    },
    'permissions.addressDump': { doc: 'Rules of single addresses.' },
    'permissions.subnetDump': { doc: 'Rules of prefixes.' },
    'permissions.domainDump': { doc: 'Rules of host names.' },
    'permissions.trustedReload': { doc: 'Reads table trusted again.', workers: 'every' },
    'permissions.trustedDump': { doc: 'Rules of table trusted.' },
  },

  async setup(host, values) {
    const database = values.db_url === undefined ? null : host.openDatabase(values.db_url)
    const sources: AddressSources = {
      lines: values.address,
      file: values.address_file === undefined ? null : host.resolvePath(values.address_file),
      database: (values.load_backends & Backend.address) === 0 ? null : database,
      table: values.address_table,
      columns: {
        group: values.grp_col,
        address: values.ip_addr_col,
        mask: values.mask_col,
        port: values.port_col,
        tag: values.tag_col,
      },
    }
    const ruleFiles = new RuleFileTable(host, { allow: values.allow_suffix, deny: values.deny_suffix })
    const defaultRules = ruleFiles.read(values.default_allow_file, values.default_deny_file)
    let addresses = await readAddresses(sources)
    let trusted = await loadTrusted()

    async function loadTrusted(): Promise<Map<string, TrustedRule[]>> {
      if (database === null || (values.load_backends & Backend.trusted) === 0) return new Map()
      const columns = {
        source: values.source_col,
        proto: values.proto_col,
        from: values.from_col,
        ruri: values.ruri_col,
        tag: values.tag_col,
      }
      try {
        return await readTrusted(database, values.trusted_table, columns, host.log)
      } catch (error) {
        if (!(error instanceof DatabaseError) || values.load_backends !== params.load_backends.default)
          throw error
        host.log.info({ table: values.trusted_table }, `no trusted sources: ${error.message}`)
        return new Map()
      }
    }

    function findRule(
      context: RouteContext,
      text: string,
      number: number,
      inGroup: number | null,
    ): AddressRule | null {
      const rule = addresses.find(text, number, inGroup)
      if (rule === null) context.explain('permissions', `${text} is in no such group`)
      else tagWith(context, rule.tag)
      return rule
    }

    function tagWith(context: RouteContext, tag: string): void {
      if (tag !== '') values.peer_tag_avp?.write(context, tag)
    }

    const allow = (context: RouteContext, inGroup: number, text: string, number: number) =>
      findRule(context, text, number, inGroup) === null ? -1 : 1
    const groupOf = (context: RouteContext, text: string, number: number) =>
      findRule(context, text, number, null)?.group ?? -1

    return {
      functions: {
        allow_source_address: (context, inGroup) =>
          allow(context, inGroup ?? defaultGroup, context.flow.address, context.flow.port),
        allow_address: allow,
        allow_source_address_group: (context) => groupOf(context, context.flow.address, context.flow.port),
        allow_address_group: groupOf,
        allow_trusted(context, text, transport, from) {
          const rule = findTrusted(
            trusted,
            text ?? context.flow.address,
            (transport ?? context.flow.socket.transport).toLowerCase(),
            from ?? context.message.from?.uri ?? '',
            context.target.uri,
          )
          if (rule === null) return -1
          tagWith(context, rule.tag)
          return 1
        },
        allow_routing: (context, first, second) =>
          allowRouting(
            context,
            first === undefined ? defaultRules : ruleFiles.of(first, second),
            values.check_all_branches !== 0,
          ),
        allow_register: (context, first, second) => allowRegister(context, ruleFiles.of(first, second)),
        allow_uri: (context, first, uri) => allowUri(context, ruleFiles.of(first, undefined), uri),
      },
      rpc: {
        async 'permissions.addressReload'() {
          addresses = await readAddresses(sources)
          return 'Reload OK'
        },
        'permissions.addressDump': () =>
          dump(addresses, 'address', ({ text, port: number, tag }) => ({ ip: text, port: number, tag })),
        'permissions.subnetDump': () =>
          dump(addresses, 'subnet', ({ text, bits, port: number, tag }) => ({
            ip: text,
            mask: bits,
            port: number,
            tag,
          })),
        'permissions.domainDump': () =>
          dump(addresses, 'name', ({ text, port: number, tag }) => ({
            domain_name: text,
            port: number,
            tag,
          })),
        async 'permissions.trustedReload'() {
          trusted = await loadTrusted()
          return 'Reload OK'
        },
        'permissions.trustedDump': () =>
          [...trusted.values()].flat().map((rule) => ({
            item: {
              ip: rule.source,
              proto: rule.transport,
              pattern: rule.from?.source ?? 'NULL',
              ruri_pattern: rule.requestUri?.source ?? 'NULL',
              tag: rule.tag || 'NULL',
            },
          })),
      },
      exports: { addresses: () => addresses },
      close: () => database?.close(),
    }
  },
})

/** What module permissions gives to others: `host.exportsOf<PermissionsExports>('permissions')`. */
export interface PermissionsExports {
  /** The table as it is now; another one after a reload. */
  addresses(): AddressTable
}

function dump(
  table: AddressTable,
  kind: AddressRule['kind'],
  item: (rule: AddressRule) => object,
): unknown[] {
  const rules = table.rules.filter((rule) => rule.kind === kind)
  return rules.map((rule, index) =>
    kind === 'subnet'
      ? { id: index, group: rule.group, item: item(rule) }
      : { table: index, group: rule.group, item: item(rule) },
  )
}

function sqlName(name: string) {
  return { type: 'string', default: name, check: checkName, doc: 'A name in the database.' } as const
}

function ignored(why: string) {
  return { type: 'either', ignored: why, doc: "Parameter of Kamailio's permissions." } as const
}

/** Names of tables and columns become part of SQL texts. */
function checkName(value: string | number): void {
  if (!/^[A-Za-z_]\w*$/.test(String(value))) throw new ArgumentProblem(`"${value}" is no name in a database`)
}
