// A build of the sources without the code of tracing: what takes it up is taken out, the rest stays as it is.

import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { build, type Plugin } from 'esbuild'

const root = fileURLToPath(new URL('..', import.meta.url))

/** Modules whose work is tracing alone, by what is left of them. */
const STUBS: Readonly<Record<string, string>> = {
  'src/pipeline/tracing.ts': [
    'openTrace',
    'endTrace',
    'beginStage',
    'describeDecision',
    'beginForward',
    'beginAttempt',
    'describeAttempt',
  ]
    .map((name) => `export const ${name} = () => null`)
    .join('\n'),
  'src/observe/otlp/span-exporter.ts': 'export const createSpanExporter = () => null',
}

/** What of other modules asks whether there is tracing. */
const CUTS: Readonly<Record<string, readonly (readonly [what: string, instead: string])[]>> = {
  'src/app.ts': [
    ['tracing: traces === null ? null : openTrace(traces, request, parts.platform),', ''],
    ['callerTrace: () => callerTrace(request.headers),', ''],
  ],
  'src/pipeline/close.ts': [['if (tracing?.isRecorded === true) endTrace(parts, exchange, tracing, end)', '']],
  'src/pipeline/choose-worker.ts': [
    ['const span = beginStage(this.#exchange, SPAN_ROUTING_DECIDE)', ''],
    ['if (span !== null) describeDecision(span, this.#exchange, decision)', ''],
  ],
  'src/pipeline/attempts.ts': [['this.#forward = beginForward(this.#exchange)', '']],
  'src/pipeline/attempt.ts': [
    ['const span = beginAttempt(exchange, options.forward, line)', 'const span = null'],
    ['if (span !== null) describeAttempt(span, options.forward, exchange, line)', ''],
    ['exchange.tracing?.traceparent(span) ?? null', 'null'],
  ],
}

/** The module at `entry` with all it imports, in one file. */
export async function bundleTo(file: string, entry: string, { hasTracing }: { readonly hasTracing: boolean }) {
  await build({
    entryPoints: [entry],
    outfile: file,
    bundle: true,
    format: 'esm',
    platform: 'node',
    target: 'es2024',
    banner: { js: `import { createRequire } from 'node:module'; const require = createRequire(import.meta.url);` },
    plugins: hasTracing ? [] : [withoutTracing()],
    logLevel: 'error',
  })
}

function withoutTracing(): Plugin {
  return {
    name: 'without-tracing',
    setup({ onLoad }) {
      onLoad({ filter: /\/src\/.*\.ts$/ }, ({ path }) => {
        const module = path.slice(root.length)
        const stub = STUBS[module]
        if (stub !== undefined) return { contents: stub, loader: 'ts' }
        const cuts = CUTS[module]
        if (cuts === undefined) return null
        return {
          contents: cuts.reduce((text, cut) => cutFrom(text, module, cut), readFileSync(path, 'utf8')),
          loader: 'ts',
        }
      })
    },
  }
}

function cutFrom(text: string, module: string, [what, instead]: readonly [string, string]): string {
  if (!text.includes(what)) throw new Error(`${module} has no \`${what}\` any more; mend bench/without-tracing.ts`)
  return text.replace(what, () => instead)
}
