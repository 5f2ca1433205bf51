import { expect, test } from 'vitest'
import { SingleFlight } from './single-flight.ts'

test('whoever joins gets what the lead lands, and nothing is left behind', async () => {
  const flights = new SingleFlight<string>()
  expect(flights.join('a')).toBeNull()
  const lead = flights.lead('a')
  const [one, other] = [flights.join('a'), flights.join('a')]
  expect(flights.join('b')).toBeNull()
  lead.land('answer')
  lead.leave()
  expect(await Promise.all([one, other])).toEqual(['answer', 'answer'])
  expect(flights.size).toBe(0)
})

test('a lead that leaves gives nothing, and the next one is another flight', async () => {
  const flights = new SingleFlight<string>()
  const first = flights.lead('a')
  const waiting = flights.join('a')
  first.leave()
  expect(await waiting).toBeNull()
  const second = flights.lead('a')
  const next = flights.join('a')
  // Late words of the one before end nothing.
  first.land('late')
  expect(flights.size).toBe(1)
  second.land('own')
  expect(await next).toBe('own')
})
