// `explain` by a configuration alone.

import { loadConfig } from '../config/load.ts'
import { formatFindings } from '../config/print.ts'
import { createOfflineRouter } from '../offline-router.ts'
import { readExplanation } from './explain-answer.ts'
import type { DryRunAsked } from './explain-body.ts'
import type { Explained } from './explain.ts'
import type { Flags } from './flags.ts'
import type { Host } from './host.ts'
import { loadPolicies } from './plugins.ts'
import { UsageError } from './usage-error.ts'

export async function explainOffline(host: Host, flags: Flags, path: string, body: DryRunAsked): Promise<Explained> {
  if (flags.has('ask-hooks')) throw new UsageError('--ask-hooks goes with --url: a configuration alone asks nobody')
  const policies = await loadPolicies(host, flags.list('plugin'))
  const loaded = await loadConfig(await host.readFile(path), { env: (name) => host.env(name), policies, source: path })
  if (!loaded.ok) throw new UsageError(`${path} can not be used\n${formatFindings(loaded.findings, path).trimEnd()}`)
  const router = createOfflineRouter(loaded.config, modelsIn(body))
  const explained = await readExplanation(await router.explain(body))
  if (!explained.ok) return explained
  const { explanation } = explained
  return { ok: true, explanation: { ...explanation, sentences: [...explanation.sentences, ...router.assumptions] } }
}

function modelsIn({ body }: DryRunAsked): readonly string[] {
  const model = typeof body === 'object' && body !== null && 'model' in body ? body.model : null
  return typeof model === 'string' ? [model] : []
}
