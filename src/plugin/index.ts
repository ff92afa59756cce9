/** `viaduct/plugin`: everything that a plugin, built in or a user's own, may import. */
export {
  type ArgumentDeclaration,
  ArgumentProblem,
  anyRoute,
  everyIndex,
  type FunctionDeclaration,
  type Index,
  type ParamDeclaration,
  type RouteKind,
  type Value,
  type VariableAccess,
  type VariableDeclaration,
  type VariableImplementation,
} from '../../grammar/declarations.ts'
export type { Pattern } from '../../grammar/program.ts'
export { type Database, DatabaseError, type DatabaseValue, type Row } from '../database/database.ts'
export { isLikeToken, mintToken, readToken, type Token, type TokenKind } from '../edges/edge-token.ts'
export { type EdgeState, type Edges, type EdgesHost, openEdges } from '../edges/edges.ts'
export { SharedBindings } from '../edges/shared-bindings.ts'
export type {
  SharedDirectoryTable,
  SharedLocations,
  SharedLocationsOptions,
} from '../edges/shared-locations.ts'
export { limits } from '../limits.ts'
export { type AorRules, aorOfUri, canonicalAor, canonicalName } from '../location/aor.ts'
export {
  allMethods,
  type Binding,
  createBinding,
  isReachable,
  type Origin,
  remainingSeconds,
  type Trust,
} from '../location/binding.ts'
export { octetsOf } from '../location/binding-codec.ts'
export type { Page, PageMark } from '../location/binding-table.ts'
export { type BoundScope, type BoundSettings, defaultBounds, LearnedBounds } from '../location/bounds.ts'
export type { ChangeCause } from '../location/change-listeners.ts'
export { ExpiryQueue } from '../location/expiry.ts'
export { budgetOf, type FlowState, FlowTable, sameFlow } from '../location/flows.ts'
export { type Change, Location } from '../location/location.ts'
export { LocationDatabase } from '../location/location-database.ts'
export { type LocationColumn, locationColumns } from '../location/location-rows.ts'
export { type DatabaseMode, Locations } from '../location/locations.ts'
export { chooseBindings, inOrder, mayReplace } from '../location/precedence.ts'
export { customerPrefix, isLoopback, isUnicast, type Prefix, parsePrefix } from '../location/prefix.ts'
export type { Refreshed } from '../location/record-refresh.ts'
export {
  type Elsewhere,
  Outdated,
  type OwnBindings,
  type Owner,
  type SharedTable,
} from '../location/shared-table.ts'
export { StoreTime } from '../location/store-time.ts'
export type {
  Branch,
  BranchEnd,
  OwnRequest,
  ProxyCore,
  ProxySettings,
  ProxyStatistics,
  ReplyOptions,
  ReplyStatus,
  ResponseContext,
} from '../proxy/proxy.ts'
export { markedAddress, recordRouteAddress } from '../proxy/record-route.ts'
export { errorAnswer, relayErrors } from '../proxy/relay-error.ts'
export { applyRoutePlan, planRoute, type RoutePlan } from '../proxy/route.ts'
export { copyTarget, createTarget, type Target } from '../proxy/target.ts'
export { pxOf } from '../redis/expiry.ts'
export { keyOf } from '../redis/keys.ts'
export type { Redis, RedisKey, RedisReply, RedisResult, Subscription } from '../redis/redis.ts'
export { defineScript, type Script, textOf } from '../redis/script.ts'
export { isRedisUrlFault, parseRedisUrl } from '../redis/url.ts'
export type { Clock, Timer } from '../runtime/clock.ts'
export { KeyedDigest } from '../runtime/keyed-digest.ts'
export type { Log } from '../runtime/log.ts'
export type { Counter, Metrics, Series } from '../runtime/metrics.ts'
export type { Random } from '../runtime/random.ts'
export { SipHash } from '../runtime/sip-hash.ts'
export {
  flat,
  isToken,
  parseDecimal,
  quoted,
  unfold,
  unquote,
} from '../sip/bytes.ts'
export { createEditList, type EditList } from '../sip/edit.ts'
export { HeaderId, headerId, headerKey } from '../sip/header-id.ts'
export {
  type BodyPart,
  bodyParts,
  type ContentType,
  type Multipart,
  parseContentType,
  parseMultipart,
} from '../sip/headers/content-type.ts'
export {
  type AuthValue,
  parseChallenges,
  parseCredentials,
  writeAuthValue,
} from '../sip/headers/credentials.ts'
export { parseDeltaSeconds, parseQ } from '../sip/headers/expires.ts'
export {
  endOfValue,
  hasUsualUri,
  type NameAddr,
  paramOf,
  parseNameAddr,
  parseNameAddrs,
  readUriOf,
  splitValues,
} from '../sip/headers/name-addr.ts'
export { type Param, parseParams, withoutParamIn } from '../sip/headers/params.ts'
export { hasToken, nameAddrsOf, valuesOf } from '../sip/headers/token-list.ts'
export type { Via } from '../sip/headers/via.ts'
export type { SipMessage } from '../sip/message.ts'
export { Method, methodMask } from '../sip/method.ts'
export { isFault, scanMessage } from '../sip/scan.ts'
export {
  asciiLower,
  escapeParam,
  escapeUser,
  hostForUri,
  hostWithoutBrackets,
  isSipUri,
  parseUri,
  readUri,
  type Uri,
  unescapeUser,
  uriParam,
  urisEqual,
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
  writeUri,
} from '../sip/uri.ts'
export { type Durability, durabilities, durabilityOf } from '../store/durability.ts'
export { PackedValues, type Stored } from '../store/packed-values.ts'
export type { Table } from '../store/table.ts'
export { coreHash } from '../text/core-hash.ts'
export { compilePattern } from '../text/pattern.ts'
export {
  type Cut,
  evaluatorOf,
  matchesAtOnce,
  matchesByLine,
  parseSubstitution,
  type Substitution,
} from '../text/substitution.ts'
export type { NativeDigest } from '../transport/native-addon.ts'
export type { Flow, ListenSocket, SocketTable } from '../transport/socket.ts'
export { Exchange } from '../worker/exchange.ts'
export type { Workers } from '../worker/workers.ts'
export { acceptedParams } from './accepted.ts'
export type { DebugLevel, PluginHost, ScriptHost } from './host.ts'
export { levelOfDebug, logLevel } from './log-level.ts'
export { nativeDigest } from './native-digest.ts'
export {
  type ArgumentValues,
  type ControlEndpoint,
  definePlugin,
  type FunctionImplementation,
  type ParamValues,
  type PluginDefinition,
  type PluginInstance,
  type UnservedEndpoint,
} from './plugin.ts'
export type { RouteContext } from './route-context.ts'
export { RpcFault } from './rpc-fault.ts'
export type { AuthenticatedUser, AvpStore, MessageScope, RecordStore, UsedCredentials } from './scope.ts'
