// A real PostgreSQL of a test's own: a free port and a socket of this machine, a directory that goes with it, ended by its
// process.

import { execFile, spawn } from 'node:child_process'
import { chown, mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir, userInfo } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { freePort, until } from './launch.ts'

const START_TIMEOUT_MS = 60_000

/** Where Debian has it, one directory a version. */
const DEBIAN = '/usr/lib/postgresql'

/** PostgreSQL refuses to run as root; any other user will do. */
const STAND_INS = ['postgres', 'nobody']

export interface PostgresServer {
  /** Over TCP, as a role that may do everything. */
  readonly url: string
  /** The same over the socket in this directory. */
  readonly socketDirectory: string
  readonly port: number
  stop(): Promise<void>
}

/** Starts PostgreSQL; fails, saying what to install, where there is none. */
export async function startPostgresServer(): Promise<PostgresServer> {
  const programs = await findPrograms()
  const owner = await ownerOf()
  const directory = await mkdtemp(join(tmpdir(), 'postgres-'))
  if (owner !== null) await chown(directory, owner.uid, owner.gid)
  const identity = owner === null ? {} : { uid: owner.uid, gid: owner.gid }
  const data = join(directory, 'data')
  await promisify(execFile)(
    join(programs, 'initdb'),
    [
      '--pgdata',
      data,
      '--username',
      'router',
      '--auth',
      'trust',
      '--encoding',
      'UTF8',
      '--no-sync',
      '--locale',
      'C.UTF-8',
    ],
    identity,
  )
  const port = await freePort()
  const settings = { fsync: 'off', synchronous_commit: 'off', full_page_writes: 'off', max_connections: '50' }
  const place = ['-D', data, '-h', '127.0.0.1', '-p', String(port), '-k', directory]
  const child = spawn(
    join(programs, 'postgres'),
    [...place, ...Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`])],
    { ...identity, stdio: ['ignore', 'pipe', 'pipe'] },
  )
  let output = ''
  child.stdout.on('data', (text: Buffer) => (output += text.toString()))
  child.stderr.on('data', (text: Buffer) => (output += text.toString()))
  const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()))
  const stop = async () => {
    // Its children end with it: an immediate shutdown, which waits for nobody.
    child.kill('SIGQUIT')
    await ended
    await rm(directory, { recursive: true, force: true })
  }
  try {
    await until(
      () => output.includes('database system is ready to accept connections') || child.exitCode !== null,
      START_TIMEOUT_MS,
      () => `PostgreSQL did not start:\n${output}`,
    )
    if (child.exitCode !== null) throw new Error(`PostgreSQL ended with ${child.exitCode}:\n${output}`)
  } catch (error) {
    await stop()
    throw error
  }
  return { url: `postgres://router@127.0.0.1:${port}/postgres`, socketDirectory: directory, port, stop }
}

/** The directory of the newest version. */
async function findPrograms(): Promise<string> {
  const versions = await readdir(DEBIAN).catch(() => [])
  const newest = versions.filter((name) => /^\d+$/.test(name)).sort((one, other) => Number(other) - Number(one))[0]
  if (newest === undefined) {
    throw new Error(`there is no PostgreSQL in ${DEBIAN}: install it (Debian: apt-get install postgresql)`)
  }
  return join(DEBIAN, newest, 'bin')
}

/** Whom it runs as; null for whoever runs this test. */
async function ownerOf(): Promise<{ readonly uid: number; readonly gid: number } | null> {
  if (userInfo().uid !== 0) return null
  for (const name of STAND_INS) {
    const ids = await Promise.all(['-u', '-g'].map((flag) => promisify(execFile)('id', [flag, name]))).catch(() => null)
    if (ids !== null) return { uid: Number(ids[0]?.stdout), gid: Number(ids[1]?.stdout) }
  }
  throw new Error(`PostgreSQL does not run as root, and none of the users ${STAND_INS.join(', ')} is there`)
}
