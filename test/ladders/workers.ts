import { ladderDefaults } from '../../src/testing/play.ts'

/** Setup of the Vitest project `workers`: every ladder with a router of two workers. */
ladderDefaults.workers = 2
