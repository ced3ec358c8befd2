// script.mjs - reads a hostile script: its source, what it tries, and what must come of
// it. The language of the head is described in tests/hostile/README.md.
import { readFileSync } from 'node:fs';
import { basename } from 'node:path';

const yesOrNo = (text) => {
  if (text !== 'yes' && text !== 'no') throw new Error(`yes or no was expected, not '${text}'`);
  return text === 'yes';
};

function pattern(text) {
  const found = /^\/(.+)\/$/s.exec(text);
  if (!found) throw new Error(`a /pattern/ was expected, not '${text}'`);
  return new RegExp(found[1], 's');
}

const OUTCOMES = {
  install: (text) => {
    const [, refusal] = /^refused\s+(.+)$/.exec(text) ?? [];
    return { pattern: pattern(refusal ?? text) };
  },
  error: (text) => {
    const [, codes, rest] = /^(\S+)\s*(.*)$/.exec(text);
    return { codes: codes.split('|'), pattern: pattern(rest) };
  },
  result: (text) => ({ result: JSON.parse(text) }),
  nothing: () => ({}),
  twins: () => ({}),
};

function outcome(text) {
  const [, kind, rest] = /^(\w+)\s*(.*)$/.exec(text) ?? [];
  if (!(kind in OUTCOMES)) throw new Error(`'${text}' is no outcome`);
  return { kind, ...OUTCOMES[kind](rest) };
}

// Each word of the language and what becomes of the rest of its line.
const WORDS = {
  expect: outcome,
  limit: String,
  trace: pattern,
  lives: yesOrNo,
  dead: yesOrNo,
  asked: Number,
  together: Number,
  config: JSON.parse,
  open: Number,
  logs: Number,
};

// The comment that the file begins with, line by line.
const head = (source) => /^(--.*\n)*/.exec(source)[0].split('\n').map((line) => line.replace(/^-- ?/, ''));

// Prose first, then the lines that begin with a word of the language.
function parse(lines, script) {
  const from = lines.findIndex((line) => Object.keys(WORDS).some((word) => line.startsWith(`${word}:`)));
  if (from < 0) throw new Error('it has no line "-- expect: ..."');
  for (const line of lines.slice(from).filter((text) => text !== '')) {
    const [, word, rest] = /^([a-z]+):\s+(.*\S)\s*$/.exec(line) ?? [];
    if (!(word in WORDS)) throw new Error(`'${line}' begins with no word of the language`);
    script[word] = WORDS[word](rest);
  }
  script.tries = /^\S+ - (.*?[.:?])(\s|$)/.exec(lines.slice(0, from).join(' '))?.[1] ?? lines[0];
}

// { file, name, source, tries, expect, ... }; an error names the file.
export function readScript(path) {
  const source = readFileSync(path, 'utf8');
  const file = basename(path, '.lua');
  const script = { file, name: file.replaceAll('_', '-'), source, asked: 1, together: 1, config: {} };
  try {
    parse(head(source), script);
    if (!script.expect) throw new Error('it has no line "-- expect: ..."');
  } catch (error) {
    throw new Error(`${path}: ${error.message}`);
  }
  return script;
}
