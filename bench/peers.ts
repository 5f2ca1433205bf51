// Others' servers in front of the same upstream: Portkey's gateway on Node, and nginx as the ceiling. A peer that is not
// installed is left out by name, with how to get it.

import { execFileSync } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { freePort, startServerProcess } from './processes.ts'
import { PLAIN, type Target } from './targets.ts'

export const PEERS = ['portkey', 'nginx'] as const

export type PeerName = (typeof PEERS)[number]

export interface PeerVersion {
  readonly version: string | null
  /** How to get it, where it is missing. */
  readonly hint: string
}

const PORTKEY = fileURLToPath(new URL('node_modules/@portkey-ai/gateway/', import.meta.url))

export function peerVersion(peer: PeerName): PeerVersion {
  switch (peer) {
    case 'portkey':
      return { version: portkeyVersion(), hint: '`npm run bench:peers` installs it in bench/' }
    case 'nginx':
      return { version: nginxVersion(), hint: '`apt-get install nginx` brings it' }
  }
}

export function startPeer(peer: PeerName, upstreamPort: number): Promise<Target> {
  return peer === 'portkey' ? startPortkey(upstreamPort) : startNginx(upstreamPort)
}

/** As an application would use it for a server of its own: OpenAI's API at a custom host. */
async function startPortkey(upstreamPort: number): Promise<Target> {
  const port = await freePort()
  const running = await startServerProcess({
    program: process.execPath,
    args: [join(PORTKEY, 'build/start-server.js'), `--port=${port}`, '--headless'],
    // Its checks of hosts refuse addresses of this machine unless they are listed.
    env: { NODE_ENV: 'production', TRUSTED_CUSTOM_HOSTS: '127.0.0.1,localhost' },
    port,
    readyPath: '/',
  })
  const headers = ['x-portkey-provider: openai', `x-portkey-custom-host: http://127.0.0.1:${upstreamPort}/v1`]
  return { ...running, name: 'portkey', port, headers, rewritesAnswers: true }
}

/** One process, as the others are, with connections to the upstream kept open. */
async function startNginx(upstreamPort: number): Promise<Target> {
  const directory = mkdtempSync(join(tmpdir(), 'vllm-edge-router-bench-nginx-'))
  const port = await freePort()
  const config = join(directory, 'nginx.conf')
  writeFileSync(config, nginxConfig({ directory, port, upstreamPort }))
  const remove = () => rmSync(directory, { recursive: true, force: true })
  try {
    const args = ['-e', 'stderr', '-p', directory, '-c', config]
    const running = await startServerProcess({ program: 'nginx', args, port, readyPath: '/v1/models' })
    return { ...PLAIN, ...running, stop: () => running.stop().finally(remove), name: 'nginx', port }
  } catch (error) {
    remove()
    throw error
  }
}

interface NginxPlace {
  readonly directory: string
  readonly port: number
  readonly upstreamPort: number
}

function nginxConfig({ directory, port, upstreamPort }: NginxPlace): string {
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map(
    (kind) => `  ${kind}_temp_path ${directory}/${kind};`,
  )
  return `daemon off;
worker_processes 1;
${process.getuid?.() === 0 ? 'user root;' : ''}
pid ${directory}/pid;
error_log stderr error;
events { worker_connections 4096; }
http {
${temporary.join('\n')}
  access_log off;
  client_max_body_size 0;
  client_body_buffer_size 2m;
  keepalive_requests 100000000;
  upstream worker { server 127.0.0.1:${upstreamPort}; keepalive 512; keepalive_requests 100000000; }
  server {
    listen 127.0.0.1:${port} backlog=1024;
    location / {
      proxy_pass http://worker;
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      proxy_buffering off;
    }
  }
}
`
}

function portkeyVersion(): string | null {
  const path = join(PORTKEY, 'package.json')
  if (!existsSync(path)) return null
  const { version }: { version: string } = JSON.parse(readFileSync(path, 'utf8'))
  return version
}

function nginxVersion(): string | null {
  try {
    // It says so on standard error, which a shell turns round.
    const text = execFileSync('sh', ['-c', 'nginx -v 2>&1'], { encoding: 'utf8' })
    return /nginx\/(\S+)/.exec(text)?.[1] ?? null
  } catch {
    // Not installed.
    return null
  }
}
