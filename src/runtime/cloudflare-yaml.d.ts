// Wrangler and esbuild bundle YAML files as text (see `rules` in wrangler.toml).

declare module '*.yaml' {
  const text: string
  export default text
}
