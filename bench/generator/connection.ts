// One client connection on a bare socket: sends a request when told to, and says how its answer was.

import { connect, type Socket } from 'node:net'
import { createMessageReader } from '../http-messages.ts'

export interface Answer {
  /** Status 200, and the expected number of bytes. */
  readonly isRight: boolean
  /** The server closes the connection behind it. */
  readonly isClosing: boolean
}

export interface ConnectionEvents {
  onOpen(): void
  onAnswer(answer: Answer): void
  /** Always comes, and last: whether the connection ever stood, and whether it owed an answer. */
  onClose(end: { readonly wasOpen: boolean; readonly isOwed: boolean }): void
}

export interface Connection {
  ask(): void
  /** Ends it in order. */
  end(): void
  destroy(): void
}

export interface Wire {
  readonly port: number
  /** The request as it goes over the wire. */
  readonly request: Buffer
  /** Null where any length is right. */
  readonly answerBytes: number | null
}

export function openConnection({ port, request, answerBytes }: Wire, events: ConnectionEvents): Connection {
  const socket: Socket = connect({ port, host: '127.0.0.1', noDelay: true })
  let isOwed = false
  let wasOpen = false
  const read = createMessageReader(({ head, bodyBytes }) => {
    isOwed = false
    const isRight = head.startsWith('200 ', 9) && (answerBytes === null || bodyBytes === answerBytes)
    events.onAnswer({ isRight, isClosing: /\r\nconnection: *close/i.test(head) })
  })
  socket.on('data', read)
  socket.once('connect', () => {
    wasOpen = true
    events.onOpen()
  })
  // What went wrong is counted when the socket closes, which always follows.
  socket.on('error', () => {})
  socket.once('close', () => events.onClose({ wasOpen, isOwed }))
  return {
    ask() {
      isOwed = true
      socket.write(request)
    },
    end: () => void socket.end(),
    destroy: () => void socket.destroy(),
  }
}
