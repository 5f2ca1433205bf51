// What the files of an exported log are called. `decisions.jsonl` is written to; full ones are renamed to
// `decisions.20260801T093002Z-000001.jsonl`, each with an index of the same name beside it.

export interface RotatedName {
  readonly name: string
  /** When the file was put aside. */
  readonly atMs: number
  readonly sequence: number
}

export class ExportPaths {
  /** The file that is written to. */
  readonly active: string
  readonly directory: string
  readonly #stem: string

  constructor(exportPath: string) {
    const nameAt = Math.max(exportPath.lastIndexOf('/'), exportPath.lastIndexOf('\\')) + 1
    this.active = exportPath
    this.directory = nameAt === 0 ? '.' : exportPath.slice(0, nameAt)
    this.#stem = exportPath.slice(nameAt).replace(/\.jsonl$/, '')
  }

  rotatedName(atMs: number, sequence: number): string {
    const time = new Date(atMs).toISOString().replace(/[-:]|\.\d+/g, '')
    return `${this.#stem}.${time}-${String(sequence).padStart(6, '0')}.jsonl`
  }

  /** Null for a name that is not one of ours. */
  parseRotated(name: string): RotatedName | null {
    if (!name.startsWith(`${this.#stem}.`)) return null
    const [, time = '', sequence = ''] =
      /^(\d{8}T\d{6}Z)-(\d{6,15})\.jsonl$/.exec(name.slice(this.#stem.length + 1)) ?? []
    const atMs = Date.parse(time.replace(/^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)/, '$1-$2-$3T$4:$5:'))
    return Number.isNaN(atMs) ? null : { name, atMs, sequence: Number(sequence) }
  }

  inDirectory(name: string): string {
    return this.directory === '.' ? name : `${this.directory}${name}`
  }

  index(rotatedName: string): string {
    return this.inDirectory(rotatedName.replace(/\.jsonl$/, '.idx'))
  }

  get views(): string {
    return `${this.active}.views`
  }

  view(hash: string): string {
    return `${this.views}/${hash}.json`
  }
}
