// `vllm-edge-router init`: writes a configuration to begin with. It asks nothing, on a terminal or not.

import { didYouMean } from '../config/nearest.ts'
import { parseFlags } from './flags.ts'
import { EXIT, type Host } from './host.ts'
import { TEMPLATES } from './init-templates.ts'

const NAMES = Object.keys(TEMPLATES)

const HELP = `Usage: vllm-edge-router init [--config FILE] [--template NAME] [--force]

Writes a configuration with comments that runs as it stands, once its workers are yours.

Options:
  --config FILE    the file to write (default: config.yaml)
  --template NAME  what is in it: ${NAMES.join(', ')} (default: minimal)
  --force          write it although there is such a file
  --help           print this text

Exit codes: 0 it was written, 1 there is such a file, 2 the command was used wrongly or it can't be written.
`

const FLAGS = {
  config: { kind: 'value' },
  template: { kind: 'value' },
  force: { kind: 'switch' },
  help: { kind: 'switch' },
} as const

/** Resolves to the exit code. */
export async function init(
  { files, writeOut, writeError }: Pick<Host, 'files' | 'writeOut' | 'writeError'>,
  args: readonly string[],
): Promise<number> {
  const refuse = (message: string, code: number = EXIT.usage) => {
    writeError(`vllm-edge-router init: ${message}\n`)
    return code
  }
  const parsed = parseFlags(args, FLAGS)
  if (args.includes('-h') || (parsed.ok && parsed.flags.has('help'))) {
    writeOut(HELP)
    return EXIT.good
  }
  if (!parsed.ok) return refuse(`${parsed.message}\n\n${HELP}`)
  const path = parsed.flags.value('config') ?? 'config.yaml'
  const name = parsed.flags.value('template') ?? 'minimal'
  const text = Object.hasOwn(TEMPLATES, name) ? TEMPLATES[name] : undefined
  if (text === undefined) {
    return refuse(`there is no template ${name}${didYouMean(name, NAMES)}; there are ${NAMES.join(', ')}`)
  }
  try {
    const isThere = (await files.read(path)) !== null
    if (isThere && !parsed.flags.has('force')) {
      return refuse(`${path} is there already; --force writes over it`, EXIT.finding)
    }
    await files.replace(path, text)
  } catch (error) {
    return refuse(`can't write ${path}: ${error instanceof Error ? error.message : String(error)}`)
  }
  writeOut(`Wrote ${path}. Put your workers in it, then: vllm-edge-router serve --config ${path}\n`)
  return EXIT.good
}
