// Puts the events of a stream together into the answer that the same request would have had without streaming, as far as
// so much text goes. One implementation per shape of stream, each under its vendor's folder.

import { messageAssembly } from './anthropic/assembly.ts'
import type { Assembly } from './assembly.ts'
import { audioAssembly, completionAssembly } from './openai/assembly.ts'
import { responsesAssembly } from './openai/responses-assembly.ts'
import type { StreamKind } from './stream-tap.ts'

const ASSEMBLIES: Readonly<Record<StreamKind, () => Assembly>> = {
  chat: completionAssembly,
  completions: completionAssembly,
  unasked_usage: completionAssembly,
  responses: responsesAssembly,
  messages: messageAssembly,
  other: audioAssembly,
}

export function createAssembly(kind: StreamKind): Assembly {
  return ASSEMBLIES[kind]()
}
