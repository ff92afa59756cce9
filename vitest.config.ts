import { fileURLToPath } from 'node:url'
import { defineConfig } from 'vitest/config'

const at = (path: string) => fileURLToPath(new URL(path, import.meta.url))

export default defineConfig({
  resolve: {
    alias: {
      'viaduct/plugin': at('./src/plugin/index.ts'),
      'viaduct/testing': at('./src/testing/index.ts'),
    },
  },
  test: {
    include: ['test/**/*.test.ts', 'plugins/**/*.test.ts'],
    testTimeout: 20_000,
    hookTimeout: 60_000,
    benchmark: { include: ['bench/micro/**/*.bench.ts'] },
  },
})
