// The bare pass-through on Deno.

const [port, upstream] = Deno.args

Deno.serve({ hostname: '127.0.0.1', port: Number(port), onListen() {} }, ({ method, url, headers, body }) => {
  const target = upstream + url.slice(url.indexOf('/', 8))
  return fetch(target, { method, headers, body, redirect: 'manual' })
})
