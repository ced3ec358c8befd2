// plugins.test.mjs - runs the cases of every plugins/*/test.lua in the real sandbox,
// playing the engine and the services behind it.
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { Sandbox, eventOf } from "./lib/frames.mjs";
import { ROOT, SANDBOXES } from "./lib/programs.mjs";

const folderOf = (name) => join(ROOT, "plugins", name);
const PLUGINS = readdirSync(join(ROOT, "plugins"))
  .filter((name) => existsSync(join(folderOf(name), "test.lua")));

function filesOf(name) {
  const files = readdirSync(folderOf(name)).filter((file) => file.endsWith(".lua"));
  return Object.fromEntries(files.map((file) => [file, readFileSync(join(folderOf(name), file))]));
}

// test.lua runs where plugins run, so that it can do no more than they can.
const READ_CASES = `return { name = "cases", version = "1", on_event = function()
  local all, cases = require "test", {}
  for i, case in ipairs(all) do
    cases[i] = {}
    for key, value in pairs(case) do cases[i][key == 1 and "title" or key] = value end
  end
  return { config = all.config, cases = cases }
end }`;

async function casesOf(program, name) {
  const sandbox = new Sandbox(program);
  await sandbox.load({ ...filesOf(name), "plugin.lua": READ_CASES });
  const { value } = await sandbox.call("on_event", {});
  await sandbox.close();
  return value;
}

// What Lua sees of a configuration: defaults filled in, secrets as tokens.
function seal(fields, config) {
  const shown = {}, secrets = new Map();
  for (const [name, field] of Object.entries(fields)) {
    const value = config[name] ?? field.default;
    const token = "mhs_" + String(secrets.size).padStart(32, "0");
    if (field.secret) secrets.set(token, value);
    if (value !== undefined) shown[name] = field.secret ? token : value;
  }
  const reveal = (text) => [...secrets].reduce((t, [token, value]) => t.replaceAll(token, value), text);
  return { shown, reveal };
}

// Everything that `wanted` names is in `actual`.
function includes(actual, wanted, path) {
  if (typeof wanted !== "object" || wanted === null) {
    assert.deepEqual(actual, wanted, path);
    return;
  }
  assert.equal(typeof actual, "object", path);
  for (const key of Object.keys(wanted)) includes(actual?.[key], wanted[key], `${path}.${key}`);
}

function replyTo(row) {
  if (row.fails) return { ok: false, code: row.fails, message: row.fails };
  const after = Object.entries(row.headers ?? {}).find(([name]) => /^retry-after$/i.test(name));
  return { ok: true, status: row.status, headers: row.headers ?? {},
           ...(after && { retry_after_s: Number(after[1]) }) };
}

async function serve(sandbox, row, reveal) {
  const request = await sandbox.request();
  assert.equal(request.head.method, row.method);
  assert.equal(reveal(request.head.url), row.url);
  if (row.json) includes(JSON.parse(reveal(request.body)), row.json, "json");
  sandbox.send("REPLY", request.id, replyTo(row), row.body ?? "");
}

function judge({ head, body }, { result, error }) {
  if (error) {
    assert.equal(head.ok, false, "an error was expected");
    if (error.message) assert.ok(head.message.includes(error.message), head.message);
    assert.equal(head.retry?.after_s, error.after_s);
    assert.equal(head.retry?.never, error.never);
    return;
  }
  assert.ok(head.ok, head.message);
  if (result !== undefined) includes(JSON.parse(body), result, "result");
}

async function run(program, name, item, config) {
  const files = filesOf(name), manifest = new Sandbox(program);
  const { head } = await manifest.load(files, { mode: "manifest" });
  await manifest.close();
  const { shown, reveal } = seal(head.config, { ...config, ...item.config });
  const sandbox = new Sandbox(program);
  try {
    await sandbox.load(files, { config: shown });
    const id = sandbox.start(item.hook, item.data && eventOf(item.data));
    for (const row of Object.values(item.requests ?? {})) await serve(sandbox, row, reveal);
    const outcome = await sandbox.next((f) => f.type === "RESULT" || f.type === "REQUEST");
    assert.equal(outcome.type, "RESULT", `a request too many: ${outcome.head.url}`);
    assert.equal(outcome.id, id);
    judge(outcome, item);
  } finally {
    await sandbox.close();
  }
}

for (const name of PLUGINS) {
  const { config, cases } = await casesOf(SANDBOXES[0], name);
  describe(name, () => {
    for (const item of cases) {
      test(item.title, () => run(SANDBOXES[0], name, item, config));
    }
  });
}
