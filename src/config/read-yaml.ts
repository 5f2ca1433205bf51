// YAML text to plain data, with the line and column of every value.
// Core schema only: no merge keys, no custom tags, few aliases, so that no text can take the loader down.

import { isAlias, isMap, isScalar, isSeq, LineCounter, parseDocument, type Document, type Node } from 'yaml'
import { errorAt, type Finding, type Path, type Problem } from './finding.ts'
import { tooDeepAt } from './flow-depth.ts'
import { describeSyntaxError } from './yaml-errors.ts'

const MAX_TEXT_BYTES = 512 * 1024
const MAX_ALIASES = 10
const MAX_DEPTH = 32
const MAX_SYNTAX_ERRORS = 10

/** A place in the text, both from 1. */
export interface Place {
  readonly line: number
  readonly column: number
}

/** The data of a file, and the way back from a path to the text. */
export interface YamlTree {
  readonly value: unknown
  /** Place of the value (or of its key) at `path`, else of the closest thing around it; null in an empty file. */
  locate(path: Path, atKey: boolean): Place | null
  /** What the text does that YAML allows and this loader doesn't, such as a key given twice. */
  readonly problems: readonly Problem[]
}

export type YamlResult =
  | { readonly ok: true; readonly tree: YamlTree }
  | { readonly ok: false; readonly findings: Finding[] }

/** Reads YAML of any quality. A syntax error ends it there, since what follows one means little. */
export function readYaml(text: string): YamlResult {
  if (text.length > MAX_TEXT_BYTES || new TextEncoder().encode(text).length > MAX_TEXT_BYTES) {
    return failed({ line: null, column: null, message: `the file is larger than ${MAX_TEXT_BYTES / 1024} KB` })
  }
  const tooDeep = tooDeepAt(text, MAX_DEPTH)
  if (tooDeep !== null) {
    const before = text.slice(0, tooDeep).split('\n')
    const message = `[ and { are nested more than ${MAX_DEPTH} levels deep`
    return failed({ line: before.length, column: (before.at(-1)?.length ?? 0) + 1, message })
  }
  const lines = new LineCounter()
  try {
    // uniqueKeys compares every key with every other one; Converter finds duplicates in linear time instead.
    const document = parseDocument(text, {
      lineCounter: lines,
      uniqueKeys: false,
      prettyErrors: false,
      schema: 'core',
      merge: false,
      resolveKnownTags: false,
      // Not `silent`, which would also hide a second document.
      logLevel: 'error',
    })
    const findings = syntaxFindings(text, document, lines)
    if (findings.length > 0) return { ok: false, findings }
    const converter = new Converter(document)
    const value = document.contents === null ? null : converter.convert(document.contents, [])
    return { ok: true, tree: { value, problems: converter.problems, locate: locator(document, lines) } }
  } catch (error) {
    // The parser recurses: how deep is too deep differs between runtimes, and only the stack knows.
    if (error instanceof RangeError)
      return failed({ line: null, column: null, message: 'the file is nested too deeply' })
    throw error
  }
}

function failed(finding: Omit<Finding, 'severity' | 'path'>): YamlResult {
  return { ok: false, findings: [{ severity: 'error', path: '', ...finding }] }
}

function syntaxFindings(text: string, document: Document.Parsed, lines: LineCounter): Finding[] {
  // Warnings are unknown tags and directives: read over by the parser, but a value that is not what it says.
  const findings = new Map<number, Finding>()
  for (const error of [...document.errors, ...document.warnings]) {
    const { line, col } = lines.linePos(error.pos[0])
    // One mistake makes the parser stumble many times; the first time on a line tells it best.
    if (findings.has(line) || findings.size === MAX_SYNTAX_ERRORS) continue
    const start = lines.lineStarts[line - 1] ?? 0
    const lineText = text.slice(start, lines.lineStarts[line] ?? text.length)
    const message = describeSyntaxError(error.code, lineText)
    findings.set(line, { severity: 'error', path: '', line, column: col, message })
  }
  return [...findings.values()]
}

class Converter {
  readonly problems: Problem[] = []
  private aliases = 0
  private readonly document: Document.Parsed

  constructor(document: Document.Parsed) {
    this.document = document
  }

  convert(node: Node, path: Path): unknown {
    if (path.length > MAX_DEPTH) return this.refuse(path.slice(0, 4), `is nested more than ${MAX_DEPTH} levels deep`)
    if (isAlias(node)) return this.convertAlias(node, path)
    if (isMap<Node, Node | null>(node)) return this.convertMap(node.items, path)
    if (isSeq<Node>(node)) return node.items.map((item, index) => this.convert(item, [...path, index]))
    return isScalar(node) ? node.value : null
  }

  private convertAlias(node: Node, path: Path): unknown {
    this.aliases += 1
    if (this.aliases === MAX_ALIASES + 1)
      this.refuse(path, `is one alias (*name) too many; a file may use ${MAX_ALIASES}`)
    if (this.aliases > MAX_ALIASES) return null
    const target = resolveAlias(node, this.document)
    return target === null ? this.refuse(path, 'is an alias (*name) without an anchor') : this.convert(target, path)
  }

  private convertMap(items: readonly { key: Node; value: Node | null }[], path: Path): unknown {
    const entries = new Map<string, unknown>()
    for (const { key, value } of items) {
      const name = keyText(key)
      if (name === null) {
        this.refuse(path, 'has a key that is no plain text')
      } else if (entries.has(name)) {
        this.problems.push({
          ...errorAt([...path, name], 'stands twice in this map; keep one of the two'),
          atKey: true,
        })
      } else {
        entries.set(name, value === null ? null : this.convert(value, [...path, name]))
      }
    }
    return Object.fromEntries(entries)
  }

  private refuse(path: Path, message: string): null {
    this.problems.push(errorAt(path, message))
    return null
  }
}

function keyText(key: Node): string | null {
  if (!isScalar(key)) return null
  return typeof key.value === 'string' ? key.value : (key.source ?? String(key.value))
}

function resolveAlias(node: Node, document: Document.Parsed): Node | null {
  return isAlias(node) ? (node.resolve(document) ?? null) : node
}

function locator(document: Document.Parsed, lines: LineCounter): YamlTree['locate'] {
  return (path, atKey) => {
    let node: Node | null = document.contents
    let offset = node?.range?.[0] ?? null
    for (const [depth, segment] of path.entries()) {
      const parent: Node | null = node === null ? null : resolveAlias(node, document)
      const isTarget = depth === path.length - 1
      const found = childOf(parent, segment, atKey && isTarget)
      if (found === null) break
      node = found.value
      const isKeyWanted = (atKey && isTarget) || node === null
      offset = (isKeyWanted ? found.key : node)?.range?.[0] ?? offset
    }
    if (offset === null) return null
    const { line, col } = lines.linePos(offset)
    return { line, column: col }
  }
}

type Child = { readonly key: Node | null; readonly value: Node | null }

function childOf(node: Node | null, segment: string | number, isLast: boolean): Child | null {
  if (isSeq<Node>(node)) {
    const value = typeof segment === 'number' ? node.items[segment] : undefined
    return value === undefined ? null : { key: value, value }
  }
  if (!isMap<Node, Node | null>(node)) return null
  // Of a key given twice the first one counts, and the last one is what a finding about the key itself is about.
  const matches = ({ key }: { key: Node }) => keyText(key) === segment
  return (isLast ? node.items.findLast(matches) : node.items.find(matches)) ?? null
}
