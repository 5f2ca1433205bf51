// The bare pass-through on Bun.

const [port, upstream] = process.argv.slice(2)

Bun.serve({
  hostname: '127.0.0.1',
  port: Number(port),
  fetch({ method, url, headers, body }) {
    const target = upstream + url.slice(url.indexOf('/', 8))
    return fetch(target, { method, headers, body, redirect: 'manual' })
  },
})
