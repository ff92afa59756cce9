import { monitorEventLoopDelay } from 'node:perf_hooks'
import { isMainThread } from 'node:worker_threads'

/** Loaded into a router by bench/location-loop.ts: says at SIGUSR2 how late its event loop was since the last time. */
if (isMainThread) {
  const delay = monitorEventLoopDelay({ resolution: 1 })
  delay.enable()
  process.on('SIGUSR2', () => {
    const milliseconds = (nanoseconds: number) => (nanoseconds / 1e6).toFixed(1)
    const { mean, max } = delay
    const cpu = process.cpuUsage()
    process.stdout.write(
      `loop-delay mean ${milliseconds(mean)} p50 ${milliseconds(delay.percentile(50))} p99 ${milliseconds(delay.percentile(99))} p99.9 ${milliseconds(delay.percentile(99.9))} max ${milliseconds(max)} ms cpu ${cpu.user + cpu.system}\n`,
    )
    delay.reset()
  })
}
