// table.mjs - rows of results as one Markdown table.
//
// A row: {what, unit, field, moonhook, peer?, name?}: `field` of the two results, each
// of which may instead have `missing`, why there is none. No `peer`: nothing to compare.

function number(value) {
  if (value >= 100) return Math.round(value).toLocaleString('en');
  return value.toFixed(value >= 10 ? 1 : 2);
}

function cell(row, side) {
  const result = row[side];
  if (!result) return '–';
  if (result.missing) return `missing: ${result.missing.replace(/[\s|]+/g, ' ').slice(0, 90)}`;
  const who = side === 'peer' ? ` (${row.name})` : '';
  return `${number(result[row.field])} ${row.unit}${who}`;
}

function ratio({ moonhook, peer, field }) {
  const both = peer && !peer.missing && !moonhook.missing;
  return both ? (moonhook[field] / peer[field]).toFixed(2) : '–';
}

export function table(rows) {
  const lines = rows.map((row) => [row.what, cell(row, 'moonhook'), cell(row, 'peer'), ratio(row)]);
  lines.unshift(['what', 'moonhook', 'peer', 'ratio']);
  const widths = [0, 1, 2, 3].map((i) => Math.max(...lines.map((line) => line[i].length)));
  const text = lines.map((line) => `| ${line.map((c, i) => c.padEnd(widths[i])).join(' | ')} |`);
  text.splice(1, 0, `|${widths.map((w) => '-'.repeat(w + 2)).join('|')}|`);
  return text.join('\n');
}
