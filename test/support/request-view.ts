// A request as signals see it, made up.

import type { MessageView, RequestView } from '../../src/routing/signals/signal.ts'

export function messageView(message: Partial<MessageView>): MessageView {
  return { role: 'user', text: '', toolCalls: 0, toolResults: 0, images: 0, ...message }
}

/** `text` is that of one message of a user unless there are others. */
export function requestView({
  headers = {},
  text = '',
  ...view
}: Partial<Omit<RequestView, 'header'>> & { readonly headers?: Readonly<Record<string, string>> }): RequestView {
  return {
    text,
    messages: [messageView({ text })],
    toolDefinitions: 0,
    textBytes: new TextEncoder().encode(text).length,
    metadata: {},
    tenant: null,
    ...view,
    header: (name) => headers[name] ?? null,
  }
}
