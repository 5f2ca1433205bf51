// Where an isolate stands among those that share objects: it keeps to one of so many objects, or groups of them, and all
// isolates together spread over them evenly.

export interface IsolatePlace {
  /** From 0. */
  readonly index: number
  readonly count: number
}

/** The place when there is one object for all. */
export const ONLY_PLACE: IsolatePlace = { index: 0, count: 1 }

/** `place` is an isolate's own random number from 0 up to 1. */
export function placeAmong(place: number, count: number): IsolatePlace {
  return { index: Math.floor(place * count), count }
}
