import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterAll, expect, test } from 'vitest'
import { replayNumber } from '../../test/support/made-up-replays.ts'
import { resendable, toCurl } from './as-curl.ts'

const directory = mkdtempSync(join(tmpdir(), 'as-curl-'))
afterAll(() => rmSync(directory, { recursive: true, force: true }))

/** What a shell makes of the command: a function of curl's name tells its arguments, and what it is given to read. */
function runWithFakeCurl(command: string): { readonly args: readonly string[]; readonly input: string } {
  const path = join(directory, 'command.sh')
  const fake = `curl() { printf '%s\\0' "$#"; for one in "$@"; do printf '%s\\0' "$one"; done; cat; }`
  writeFileSync(path, `${fake}\n${command}`)
  const output = execFileSync('sh', ['-eu', path], {
    env: { PATH: process.env['PATH'], ROUTER_API_KEY: 'the key' },
    input: '',
  })
  const [count = '0', ...rest] = output.toString().split('\0')
  return { args: rest.slice(0, Number(count)), input: rest.slice(Number(count)).join('\0') }
}

test('whatever a body holds, the shell passes it on as it is', () => {
  const text = fc.string({
    unit: fc.constantFrom("'", '"', '\\', '$', '`', '!', '\n', ' ', 'a', '漢', '$(id)', '@', '-'),
  })
  fc.assert(
    fc.property(text, (body) => {
      const { args } = runWithFakeCurl(toCurl({ path: '/v1/chat/completions', body }, "http://h'ost"))
      expect(args.at(-1)).toBe(body)
      expect(args).toContain("http://h'ost/v1/chat/completions")
      expect(args).toContain('Authorization: Bearer the key')
    }),
    { numRuns: 40 },
  )
})

test('a body too long for an argument is read from the command itself', () => {
  const body = JSON.stringify({ text: "it's $HOME `id`\nBODY0\n".repeat(20_000) }).replaceAll('\\n', '\n')
  const { args, input } = runWithFakeCurl(toCurl({ path: '/v1/chat/completions', body }, 'http://h'))
  expect(args.at(-1)).toBe('@-')
  expect(input).toBe(`${body}\n`)
})

test('a sign that stands for broken text elsewhere is sent again where the caller wrote it', () => {
  const body = '{"model":"m","prompt":"\ufffd"}'
  expect(resendable(replayNumber(1, { request_body: body, original_model: 'm' }))).toMatchObject({ body })
})

test.each([
  [{ request_body: undefined }, '`capture_request_body` was off'],
  [{ request_body_truncated: true }, 'was cut'],
  [{ request_body: undefined, request_body_omitted: 'multipart/form-data' }, 'multipart/form-data'],
  [{ route: '/v1/responses/:id' }, 'a stored response'],
  [{ request_body: 'a\0b' }, 'NUL'],
  [{ request_body: 'a\ufffdb', original_model: undefined }, 'no UTF-8'],
])('can not be made of %j', (given, why) => {
  expect(resendable(replayNumber(1, given))).toEqual({ refusal: expect.stringContaining(why) })
})
