// The normal form of worker URLs, and the ones that are refused.
// Two spellings of one address that came out different would be two workers.

import { expect, test } from 'vitest'
import { parseWorkerUrl } from './worker-url.ts'

test.each([
  ['http://10.0.0.7:8000', 'http://10.0.0.7:8000'],
  ['http://GPU:8000/', 'http://gpu:8000'],
  ['HTTPS://gpu:443', 'https://gpu'],
  ['http://gpu:8000/team-a//', 'http://gpu:8000/team-a'],
  ['http://[::1]:8000', 'http://[::1]:8000'],
  ['http://gpu:8000/a/../b', 'http://gpu:8000/b'],
])('%s is %s', (text, url) => {
  expect(parseWorkerUrl(text)).toEqual({ ok: true, url })
})

test.each([
  ['', /empty/],
  ['gpu:8000', /no scheme/],
  ['10.0.0.7', /no scheme/],
  ['http:gpu', /no scheme/],
  ['http:/gpu', /no scheme/],
  ['http://', /no host/],
  ['http:///x', /no host/],
  ['http://a b', /space/],
  ['http://a\\b', /backslash/],
  ['http://a:99999', /no valid URL/],
  ['unix:///run/vllm.sock', /Unix socket.*TCP port/],
  ['grpc://a:1', /speaks HTTP/],
  ['ftp://a', /http:\/\/ or https:\/\//],
  ['http://user:pw@a', /api_key/],
  ['http://a/?x=1', /query/],
  ['http://a/?', /query/],
  ['http://a/#', /fragment/],
  ['http://a/x@1', /ranks/],
])('%j is refused', (text, message) => {
  expect(parseWorkerUrl(text)).toMatchObject({ ok: false, message: expect.stringMatching(message) })
})
