// What the signals say that decisions ask about, and no others: those of the request at once, those of servers side by
// side, under one time for all of them.

import {
  type RequestView,
  type SignalFamily,
  signalKey,
  type SignalOutcome,
  type SignalReading,
  type SignalSource,
} from '../routing/signals/signal.ts'
import { SPAN_SIGNALS_EVALUATE } from '../tracing/span-names.ts'
import type { Span } from '../tracing/request-trace.ts'
import { beginStage } from './tracing.ts'
import type { RouterParts } from './router-parts.ts'
import type { AskingExchange } from './signal-servers.ts'

type Asked = Pick<SignalReading, 'family' | 'name'>

/** A reading of each, in the order in which the configuration asks. Rejects for what is wrong with the request alone. */
export async function readSignals(
  parts: Pick<RouterParts, 'config' | 'platform' | 'signalServers'>,
  exchange: AskingExchange,
  request: RequestView,
  clientSignal: AbortSignal,
): Promise<readonly SignalReading[]> {
  const { edge, asked } = parts.config.signals
  const ready = new Map(edge.map((signal) => [signalKey(signal), signal]))
  const remote = asked.filter((one) => !ready.has(signalKey(one)))
  const span = beginStage(exchange, SPAN_SIGNALS_EVALUATE)
  try {
    const question = { request, remote, clientSignal, span }
    const fetched = remote.length === 0 ? NONE : await askSources(parts, exchange, question)
    const readings = asked.map(({ family, name }) => {
      const key = signalKey({ family, name })
      const outcome = ready.get(key)?.read(request) ?? fetched.get(key) ?? NOT_ASKED
      return { family, name, outcome }
    })
    if (span !== null) describeReadings(span, readings)
    return readings
  } finally {
    span?.end()
  }
}

/** Names are the operator's; what matched them is not said. */
function describeReadings(span: Span, readings: readonly SignalReading[]): void {
  const keysOf = (kind: SignalOutcome['kind']) =>
    readings.filter(({ outcome }) => outcome.kind === kind).map(({ family, name }) => `${family}:${name}`)
  span.set({
    'vllm.router.signals.asked': readings.length,
    'vllm.router.signals.matched': keysOf('matched'),
    'vllm.router.signals.unknown': keysOf('unknown'),
  })
}

const NONE: ReadonlyMap<string, SignalOutcome> = new Map()
const NOT_ASKED: SignalOutcome = { kind: 'unknown', because: 'not_asked' }
const LATE: SignalOutcome = { kind: 'unknown', because: 'timeout' }

interface Question {
  readonly request: RequestView
  readonly remote: readonly Asked[]
  readonly clientSignal: AbortSignal
  /** Of all readings; null when the request is not traced. */
  readonly span: Span | null
}

async function askSources(
  { config, platform, signalServers }: Pick<RouterParts, 'config' | 'platform' | 'signalServers'>,
  exchange: AskingExchange,
  { request, remote, clientSignal, span }: Question,
): Promise<ReadonlyMap<string, SignalOutcome>> {
  const controller = new AbortController()
  const abort = () => controller.abort()
  clientSignal.addEventListener('abort', abort, { once: true })
  const callOff = platform.after(config.decisions?.signalTimeoutMs ?? 0, abort)
  const late = new Promise<null>((resolve) => {
    controller.signal.addEventListener('abort', () => resolve(null), { once: true })
  })
  const found = new Map<string, SignalOutcome>()
  const ask = async (source: SignalSource) => {
    const wanted = namesFor(source, remote)
    if (wanted.length === 0) return
    const startedAtMs = platform.now()
    const answer = await Promise.race([source.ask(request, wanted, controller.signal).catch(() => null), late])
    const outcomes = wanted.map((name) => answer?.get(name) ?? (controller.signal.aborted ? LATE : NOT_ASKED))
    for (const [index, name] of wanted.entries()) {
      found.set(signalKey({ family: source.family, name }), outcomes[index] ?? NOT_ASKED)
    }
    const failed = outcomes.find(({ kind }) => kind === 'unknown')
    const ms = Math.max(0, platform.now() - startedAtMs)
    exchange.steps.push({ step: `signal_${source.family}`, outcome: failed?.because ?? 'ok', ms })
  }
  try {
    await Promise.all(signalServers.sources(exchange, clientSignal, span).map(ask))
    return found
  } finally {
    callOff()
    clientSignal.removeEventListener('abort', abort)
  }
}

function namesFor(
  { family, names }: { readonly family: SignalFamily; readonly names: readonly string[] },
  asked: readonly Asked[],
) {
  return asked.flatMap((one) => (one.family === family && names.includes(one.name) ? [one.name] : []))
}
