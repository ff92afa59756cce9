import type { Engine, EngineServices, LoadedScript } from './engine.ts'

/** Rejects with an Error that names the plugin whose setup failed. */
export declare function createEngine(loaded: LoadedScript, services: EngineServices): Promise<Engine>
