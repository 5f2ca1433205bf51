// A simulated worker in a process of its own, which can be killed as a machine kills one.

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { freePort, until } from './launch.ts'

const BIN = fileURLToPath(new URL('../../bin/vllm-edge-router.js', import.meta.url))

export interface SimProcess {
  readonly url: string
  /** Ends it without a word, as `kill -9` does. */
  kill(): Promise<void>
}

/** Flags as of `vllm-edge-router sim-worker`, the port left out. */
export async function startSimProcess(flags: readonly string[]): Promise<SimProcess> {
  const port = await freePort()
  const url = `http://127.0.0.1:${port}`
  const child = spawn(process.execPath, [BIN, 'sim-worker', '--port', String(port), ...flags], {
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  let complaints = ''
  child.stderr.on('data', (text: Buffer) => (complaints += text.toString()))
  const exited = once(child, 'exit')
  const isListening = () =>
    fetch(`${url}/health`).then(
      ({ ok }) => ok,
      () => child.exitCode !== null,
    )
  await until(isListening, 30_000, () => `the simulated worker did not start: ${complaints}`)
  if (child.exitCode !== null) throw new Error(`the simulated worker ended at once: ${complaints}`)
  return {
    url,
    async kill() {
      child.kill('SIGKILL')
      await exited
    },
  }
}
