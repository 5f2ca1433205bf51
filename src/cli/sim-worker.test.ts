// Flags, exit codes and the one line that says the worker is ready.

import { expect, test } from 'vitest'
import { SIM_WORKER_FLAGS, toSimWorkerHelp } from './sim-worker-flags.ts'
import { parseSimWorkerArgs, runSimWorker } from './sim-worker.ts'

function optionsOf(...args: string[]): object {
  const parsed = parseSimWorkerArgs(['--model', 'm', ...args])
  if (typeof parsed === 'string') throw new Error(parsed)
  return parsed
}

function messageOf(...args: string[]): string {
  const parsed = parseSimWorkerArgs(args)
  if (typeof parsed !== 'string') throw new Error('expected a complaint')
  return parsed
}

test('flags become options', () => {
  expect(optionsOf('--port', '0', '--model=n', '--itl-ms', '2.5', '--api-key', 'k', '--allow-request-faults')).toEqual({
    models: ['m', 'n'],
    port: 0,
    itlMs: 2.5,
    apiKey: 'k',
    allowRequestFaults: true,
  })
  expect(optionsOf('--no-enable-prompt-tokens-details')).toMatchObject({ enablePromptTokensDetails: false })
  expect(optionsOf('--ttft-ms', '7')).toMatchObject({ prefillOverheadMs: 7 })
})

test('faults are read, each flag with one rule or several', () => {
  const args = ['--fault', '{"status":500,"rate":0.2}', '--fault', '[{"hang":true},{"gzip":true}]']
  expect(optionsOf(...args)).toMatchObject({ faults: [{ status: 500, rate: 0.2 }, { hang: true }, { gzip: true }] })
})

test.each([
  [[], '--model'],
  [['--model'], '--model needs a value'],
  [['--model', 'm', '--port', 'x'], '--port is a whole number'],
  [['--model', 'm', '--port', '1.5'], '--port is a whole number'],
  [['--model', 'm', '--max-num-seqs', '0'], 'at least 1'],
  [['--model', 'm', '--fault', '{"explode":1}'], '--fault'],
  [['--model', 'm', '--fault', 'no json'], '--fault'],
  [['--model', 'm', '--what'], 'Unknown argument --what'],
  [['--model', 'm', '--no-port'], 'Unknown argument --no-port'],
  [['m'], 'Unknown argument m'],
])('%j is refused', (args, expected) => {
  expect(messageOf(...args)).toContain(expected)
})

test('help names every flag', () => {
  const help = toSimWorkerHelp()
  for (const { name } of SIM_WORKER_FLAGS) expect(help).toContain(`  --${name} `)
})

test('every flag sets an option of the kind it has', () => {
  const sample = { text: 'a', texts: 'a', boolean: 'true', number: '1', count: '1', faults: '{}' }
  const kinds = {
    text: 'string',
    texts: 'object',
    boolean: 'boolean',
    number: 'number',
    count: 'number',
    faults: 'object',
  }
  for (const { name, option, kind } of SIM_WORKER_FLAGS) {
    const options: Record<string, unknown> = { ...optionsOf(`--${name}=${sample[kind]}`) }
    expect(typeof options[option]).toBe(kinds[kind])
  }
})

test('runs until stopped, and says where', async () => {
  const lines: string[] = []
  const steps: string[] = []
  const host = {
    start: async () => ({ url: 'http://127.0.0.1:9', close: async () => void steps.push('closed') }),
    printLine: (line: string) => void lines.push(line),
    printError: (line: string) => void steps.push(line),
    untilStopped: async () => void steps.push('stopped'),
  }
  expect(await runSimWorker(['--model', 'm'], host)).toBe(0)
  expect(lines).toEqual(['listening on http://127.0.0.1:9'])
  expect(steps).toEqual(['stopped', 'closed'])
  expect(await runSimWorker(['--help'], host)).toBe(0)
  expect(await runSimWorker([], host)).toBe(2)
})
