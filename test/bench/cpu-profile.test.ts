import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { readProfile } from '../../bench/cpu-profile.ts'

test('a CPU profile: time in itself, time with what it called, idle time apart, recursion once', () => {
  const frame = (functionName: string, line = 0) => ({
    functionName,
    url: functionName.startsWith('(') ? '' : 'file:///router/src/scan.ts',
    lineNumber: line,
  })
  const profile = {
    nodes: [
      { id: 1, callFrame: frame('(root)'), children: [2, 3] },
      { id: 2, callFrame: frame('(idle)') },
      { id: 3, callFrame: frame('scan', 9), children: [4] },
      { id: 4, callFrame: frame('scan', 9), children: [5] },
      { id: 5, callFrame: frame('skip', 19) },
    ],
    samples: [2, 3, 4, 5],
    timeDeltas: [5_000, 1_000, 1_000, 2_000],
  }
  const folder = mkdtempSync(join(tmpdir(), 'viaduct-profile-'))
  try {
    writeFileSync(join(folder, 'one.cpuprofile'), JSON.stringify(profile))
    const summary = readProfile(join(folder, 'one.cpuprofile'), '/router/')
    expect(summary).toMatchObject({ busyMilliseconds: 4, idleMilliseconds: 5 })
    expect(summary.self).toEqual([
      { where: 'scan src/scan.ts:10', percent: 50 },
      { where: 'skip src/scan.ts:20', percent: 50 },
    ])
    expect(summary.inclusive).toEqual([
      { where: 'scan src/scan.ts:10', percent: 100 },
      { where: '(root) ', percent: 100 },
      { where: 'skip src/scan.ts:20', percent: 50 },
    ])
  } finally {
    rmSync(folder, { recursive: true })
  }
})
