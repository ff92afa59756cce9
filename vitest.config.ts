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
    testTimeout: 20_000,
    hookTimeout: 60_000,
    projects: [
      {
        extends: true,
        test: {
          name: 'all',
          include: ['test/**/*.test.ts', 'plugins/**/*.test.ts'],
          benchmark: { include: ['bench/micro/**/*.bench.ts'] },
        },
      },
      {
        // Every ladder once more, with a router of two workers.
        extends: true,
        test: {
          name: 'workers',
          include: ['test/ladders/**/*.test.ts'],
          setupFiles: ['test/ladders/workers.ts'],
          benchmark: { include: [] },
        },
      },
    ],
  },
})
