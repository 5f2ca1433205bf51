// Items that share a word, in the order in which the words come up.

export function grouped<Item>(
  items: readonly Item[],
  wordOf: (item: Item) => string | undefined,
): ReadonlyMap<string, readonly Item[]> {
  const groups = new Map<string, Item[]>()
  for (const item of items) {
    const word = wordOf(item)
    if (word === undefined) continue
    const group = groups.get(word)
    if (group === undefined) groups.set(word, [item])
    else group.push(item)
  }
  return groups
}
