// Which purges of the fleet a memory of answers has yet to carry out.

import type { PurgeNews, PurgeScope } from '../store/purge-log.ts'

const NONE: readonly PurgeScope[] = []
const EVERYTHING: readonly PurgeScope[] = [{ kind: 'all' }]

export class HeardPurges {
  #known: PurgeNews | null = null

  /**
   * What to purge, given what is known of the fleet now. Everything where some may have been missed: at the first news, after
   * a while without any, and when whoever counts them has lost count.
   */
  take(news: PurgeNews | null): readonly PurgeScope[] {
    const known = this.#known
    // The usual case, for each request: nothing was heard since the last one.
    if (news === null || news === known) return NONE
    const isSameLog = known !== null && known.log === news.log
    // A copy in between may be older than what was heard through another.
    if (isSameLog && news.count < known.count) return NONE
    this.#known = news
    if (!isSameLog) return EVERYTHING
    const missed = news.count - known.count
    if (missed === 0) return NONE
    return missed <= news.latest.length ? news.latest.slice(-missed) : EVERYTHING
  }
}
