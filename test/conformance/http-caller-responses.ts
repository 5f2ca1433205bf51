// Stored responses belong to the tenant that made them (B70): to everybody else they do not exist.

import { describe, expect, test } from 'vitest'
import { STORED_RESPONSE_ROUTES } from '../../src/routes/catalogue.ts'
import { type Answered, ask, expectRefusal, postJson } from '../support/ask.ts'
import { bearer, type CallerFleet, type CallerName, getAs } from './caller-fleet.ts'

const OTHERS: Readonly<Record<'search' | 'narrow' | 'inbound', readonly CallerName[]>> = {
  search: ['narrow', 'blind', 'inbound'],
  narrow: ['search', 'blind', 'inbound'],
  inbound: ['search', 'narrow', 'blind'],
}

export function callerResponses(fleet: CallerFleet): void {
  const create = (caller: CallerName, more: object = {}) =>
    postJson(`${fleet.url}/v1/responses`, { model: 'alpha', input: 'hi', ...more }, bearer(caller))
  /** The words of a refusal, whatever id it is about. */
  const words = (answer: Answered) => ({ status: answer.status, body: answer.json() })

  describe('stored responses', () => {
    test.each(['search', 'narrow', 'inbound'] as const)('of %s are its own', async (owner) => {
      const { id } = (await create(owner)).json()
      const unknown = words(await getAs(fleet, owner, '/v1/responses/resp_unknown'))
      expect(unknown.status).toBe(404)
      const before = fleet.calls().length
      for (const other of OTHERS[owner]) {
        for (const { method, path } of STORED_RESPONSE_ROUTES) {
          const answer = await ask(fleet.url + path.replace(':id', id), { method, headers: bearer(other) })
          expect(words(answer)).toEqual(unknown)
          expect(answer.headers.get('x-vllm-router-worker')).toBeNull()
        }
        const model = other === 'blind' ? 'beta' : 'alpha'
        expectRefusal(await create(other, { model, previous_response_id: id }), 'response_not_found')
      }
      expect(fleet.calls()).toHaveLength(before)
      expect((await getAs(fleet, owner, `/v1/responses/${id}`)).json().id).toBe(id)
      expect((await create(owner, { previous_response_id: id })).status).toBe(200)
    })

    test('are found by every key of their tenant', async () => {
      const { id } = (await create('search')).json()
      for (const key of ['search', 'searchToo', 'searchHashed'] as const) {
        expect((await getAs(fleet, key, `/v1/responses/${id}`)).status).toBe(200)
      }
    })

    test('made by a stream belong to its tenant, too', async () => {
      const answer = await create('narrow', { stream: true })
      const [, id = ''] = /"id":"(resp_[^"]+)"/.exec(answer.text) ?? []
      expect((await getAs(fleet, 'narrow', `/v1/responses/${id}`)).status).toBe(200)
      expectRefusal(await getAs(fleet, 'search', `/v1/responses/${id}`), 'response_not_found')
    })

    test('are not written over: an id that others have can not be chosen', async () => {
      const { id } = (await create('search')).json()
      const before = fleet.calls().length
      for (const other of ['narrow', 'inbound'] as const) {
        const answer = await create(other, { request_id: id })
        expectRefusal(answer, 'invalid_request')
        expect(answer.json().error.param).toBe('request_id')
      }
      expect(fleet.calls()).toHaveLength(before)
      expect((await create('search', { request_id: id })).status).toBe(200)
      expect((await create('narrow', { request_id: 'resp_of_my_own' })).status).toBe(200)
    })

    test('are not found by guessing', async () => {
      const { id } = (await create('search')).json()
      const guesses = Array.from({ length: 200 }, (_, at) => `${id.slice(0, -3)}${at.toString(36).padStart(3, '0')}`)
      const before = fleet.calls().length
      const statuses = await Promise.all(
        guesses
          .filter((guess) => guess !== id)
          .map(async (guess) => {
            return (await getAs(fleet, 'narrow', `/v1/responses/${guess}`)).status
          }),
      )
      expect(new Set(statuses)).toEqual(new Set([404]))
      expect(fleet.calls()).toHaveLength(before)
    })

    test('of a tenant for certain models can be read, gone on from and deleted by it', async () => {
      const { id } = (await create('narrow')).json()
      const remove = (caller: CallerName) =>
        ask(`${fleet.url}/v1/responses/${id}`, { method: 'DELETE', headers: bearer(caller) })
      expect((await create('narrow', { previous_response_id: id })).status).toBe(200)
      expectRefusal(await create('narrow', { previous_response_id: id, model: 'beta' }), 'model_not_allowed')
      expectRefusal(await remove('search'), 'response_not_found')
      expect((await remove('narrow')).status).toBe(200)
      expectRefusal(await remove('narrow'), 'response_not_found')
    })
  })
}
