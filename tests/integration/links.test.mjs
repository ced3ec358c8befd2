// What each program is linked with: the engine runs no Lua, the sandbox has no way
// out but its socket (docs/architecture.md).
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import path from 'node:path';
import { test } from 'node:test';

const build = process.env.MH_BUILD ?? path.resolve(import.meta.dirname ?? '.', '../../build-test');

const libraries = (program) =>
  execFileSync('readelf', ['-d', path.join(build, program)], { encoding: 'utf8' })
    .split('\n').filter((line) => line.includes('(NEEDED)'));

function assertNone(program, forbidden) {
  const found = libraries(program).filter((line) => forbidden.test(line));
  assert.deepEqual(found, [], `${program} must not be linked with these`);
}

test('the engine links no Lua', () => {
  assertNone('moonhook', /lua/i);
});

test('the sandbox links no HTTP client, no Redis client, no cryptography, no loop', () => {
  assertNone('moonhook-sandbox', /curl|hiredis|ssl|crypto|microhttpd|uv|jansson/i);
});

test('the sandbox does link LuaJIT, so that this test can fail', () => {
  assert.equal(libraries('moonhook-sandbox').filter((line) => /luajit/.test(line)).length, 1);
});
