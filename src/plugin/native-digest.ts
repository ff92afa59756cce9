import { loadNativeAddon, type NativeDigest } from '../transport/native-addon.ts'

/** What native/digest.c does for digest authentication; null where there is no addon. */
export function nativeDigest(): NativeDigest | null {
  const addon = loadNativeAddon()
  return typeof addon === 'string' ? null : addon
}
