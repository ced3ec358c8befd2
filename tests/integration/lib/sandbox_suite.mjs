// sandbox_suite.mjs - the same tests for each build of the sandbox, with the few words
// that they share.
import { basename } from "node:path";
import assert from "node:assert/strict";
import { afterEach, describe } from "node:test";
import { Sandbox } from "./frames.mjs";
import { SANDBOXES } from "./programs.mjs";

// A plugin with one hook, whose body begins in line 2.
export const plugin = (body, more = "") =>
  ({ "plugin.lua": `return { name = "test", version = "1.0.0", ${more}\n` +
                   `on_alert = function(data, ctx) ${body} end }` });

function words(program) {
  const open = [];

  const start = (options) => {
    const sandbox = new Sandbox(program, options);
    open.push(sandbox);
    return sandbox;
  };
  // A loaded plugin, ready to be called.
  const serve = async (files, options) => {
    const sandbox = start(options), loaded = await sandbox.load(files, options);
    assert.equal(loaded.type, "LOADED", loaded.head.message);
    return sandbox;
  };
  // What one hook with this body returns.
  const returns = async (body, data = {}, options) => {
    const outcome = await (await serve(plugin(body), options)).call("on_alert", data);
    assert.ok(outcome.ok, outcome.message);
    return outcome.value;
  };
  // How one hook with this body fails.
  const fails = async (body, data = {}, options) => {
    const outcome = await (await serve(plugin(body), options)).call("on_alert", data);
    assert.ok(!outcome.ok, `returned ${outcome.text}`);
    return outcome;
  };

  afterEach(() => Promise.all(open.splice(0).map((sandbox) => sandbox.close())));
  return { program, sanitized: program.endsWith("-asan"), start, serve, returns, fails };
}

export function suites(define) {
  for (const program of SANDBOXES) describe(basename(program), () => define(words(program)));
}
