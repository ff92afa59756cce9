import type { LoadOptions, LoadResult } from './engine.ts'

/** Never rejects: whatever is wrong with the script or a plugin is a diagnostic. */
export declare function loadScript(options: LoadOptions): Promise<LoadResult>
