// How the page of a report looks, by day and by night.

export const PAGE_STYLE = `
:root { color-scheme: light dark; --paper: #f6f7f9; --card: #fff; --ink: #1c2430; --soft: #5c6878; --line: #dfe4ea;
  --same: #2f7d6d; --different: #d9822b; --refused: #c23b3b; --served: #3b6fc2; --neither: #a7b0bc; --unknown: #6b5b95;
  --before: #a7b0bc; --after: #2f6fb3 }
@media (prefers-color-scheme: dark) { :root { --paper: #12161c; --card: #1b212a; --ink: #e6eaf0; --soft: #98a4b4;
  --line: #2c3541; --same: #4fb39f; --different: #e8a04f; --refused: #e57373; --served: #79a6ee; --neither: #5d6877;
  --unknown: #a596cf; --before: #5d6877; --after: #6fb0f0 } }
* { box-sizing: border-box }
body { margin: 0; background: var(--paper); color: var(--ink); font: 15px/1.5 system-ui, sans-serif }
header, main { max-width: 1120px; margin: 0 auto; padding: 0 20px }
header { padding-top: 36px }
.kicker { margin: 0; color: var(--soft); font-size: 13px; letter-spacing: .04em }
h1 { margin: 4px 0 10px; font-size: 24px; line-height: 1.3; font-weight: 650; overflow-wrap: anywhere }
h2 { margin: 0 0 10px; font-size: 16px }
h2.name { margin-top: 32px; font-size: 20px }
h3 { margin: 18px 0 6px; font-size: 14px }
.about, .note { color: var(--soft); overflow-wrap: anywhere }
.note { margin: 8px 0 0; font-size: 13px }
code { font-size: 13px }
.card { background: var(--card); border: 1px solid var(--line); border-radius: 10px; padding: 16px 18px; margin: 0 0 16px }
.tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(170px, 1fr)); gap: 12px; margin: 0 0 16px }
.tile { background: var(--card); border: 1px solid var(--line); border-radius: 10px; padding: 12px 14px }
.tile span, .tile small { display: block; color: var(--soft); font-size: 13px }
.tile strong { font-size: 22px; font-weight: 650; font-variant-numeric: tabular-nums }
.grid { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 440px), 1fr)); gap: 0 16px; align-items: start }
.wide { grid-column: 1 / -1 }
.scroll { overflow-x: auto }
table { width: 100%; border-collapse: collapse; font-size: 13.5px; font-variant-numeric: tabular-nums }
th { color: var(--soft); font-weight: 500 }
th, td { padding: 5px 8px; border-bottom: 1px solid var(--line); text-align: right; vertical-align: top }
th:first-child, td:first-child { text-align: left; overflow-wrap: anywhere; padding-left: 0 }
tr:last-child td { border-bottom: 0 }
svg { display: block; width: 100%; height: auto; margin: 4px 0 12px }
svg text { fill: var(--ink); font: 12px system-ui, sans-serif }
svg text.soft { fill: var(--soft) }
svg .axis { stroke: var(--line) }
.same { fill: var(--same) } .different { fill: var(--different) } .refused { fill: var(--refused) }
.served { fill: var(--served) } .neither { fill: var(--neither) } .unknown { fill: var(--unknown) }
.before { fill: var(--before) } .after { fill: var(--after) }
.legend { display: flex; flex-wrap: wrap; gap: 4px 18px; font-size: 13px; margin: 0 0 6px }
.legend i { display: inline-block; width: 10px; height: 10px; border-radius: 3px; margin-right: 6px }
i.same { background: var(--same) } i.different { background: var(--different) } i.refused { background: var(--refused) }
i.served { background: var(--served) } i.neither { background: var(--neither) } i.unknown { background: var(--unknown) }
i.before { background: var(--before) } i.after { background: var(--after) }
`
