// sandbox.test.mjs - the real moonhook-sandbox behind a socket: how it starts, what the
// engine hears of it, and how its plugin may fail. The SDK and the jail's insides have
// files of their own.
import { spawnSync } from "node:child_process";
import { readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { answer, eventOf, frame } from "./lib/frames.mjs";
import { ROOT } from "./lib/programs.mjs";
import { plugin, suites } from "./lib/sandbox_suite.mjs";

const SLACK = readFileSync(join(ROOT, "plugins/slack/plugin.lua"));
const procStatus = (pid, field) => new RegExp(`^${field}:\\s*(.*)$`, "m")
  .exec(readFileSync(`/proc/${pid}/status`, "utf8"))[1];

suites(({ program, sanitized, start, serve, returns, fails }) => {
  describe("starting", () => {
    test("by hand it says in one sentence what it is", () => {
      const { status, stderr } = spawnSync(program, [], { encoding: "utf8" });
      assert.equal(status, 2);
      assert.match(stderr, /^moonhook-sandbox .*\n$/);
    });

    test("the manifest says what slack is", async () => {
      const { head } = await start().load({ "plugin.lua": SLACK }, { mode: "manifest" });
      assert.equal(head.name, "slack");
      assert.deepEqual(head.hooks, ["on_alert", "on_anomaly_detected", "on_sla_breach", "on_error"]);
      assert.ok(head.permissions.includes("http:${config.webhook_url}"));
      assert.equal(head.config.webhook_url.secret, true);
      assert.equal(head.setup, true);
    });

    test("every layer of the jail holds", async () => {
      const { head } = await start().load(plugin(""));
      for (const layer of ["descriptors", "rlimits", "no_new_privs", "undumpable", "parent_death",
                           "seccomp"])
        assert.ok(head.jail.includes(layer), layer);
    });

    test("the kernel says so as well", async () => {
      const { child } = await serve(plugin(""));
      assert.equal(procStatus(child.pid, "Seccomp"), "2");
      assert.equal(procStatus(child.pid, "NoNewPrivs"), "1");
      assert.equal(procStatus(child.pid, "Threads"), "1");
      const limits = readFileSync(`/proc/${child.pid}/limits`, "utf8");
      assert.match(limits, /^Max processes\s+0\s+0/m);
      assert.match(limits, /^Max file size\s+0\s+0/m);
      assert.match(limits, /^Max core file size\s+0\s+0/m);
    });

    test("the socket is the only open descriptor", { skip: sanitized }, async () => {
      const { child } = await serve(plugin(""));
      assert.deepEqual(readdirSync(`/proc/${child.pid}/fd`), ["3"]);
    });

    test("endpoints are described without their handlers", async () => {
      const { head } = await start().load(plugin("", `endpoints = { ["POST /x"] = { auth = "key",
        handler = function() end } },`));
      assert.deepEqual(head.endpoints, { "POST /x": { auth: "key" } });
    });

    test("an empty list in the manifest stays a list", async () => {
      const { head } = await start().load(plugin("", `permissions = {}, categories = {}, config = {
        tags = { type = "array", default = {} } },`));
      assert.deepEqual([head.permissions, head.categories, head.config.tags.default], [[], [], []]);
    });
  });

  describe("a plugin that does not load", () => {
    const refused = async (source, pattern, options) => {
      const { type, head } = await start().load({ "plugin.lua": source }, options);
      assert.equal(type, "FAILED");
      assert.match(head.message, pattern);
      return head;
    };

    test("a syntax error names file and line", () =>
      refused("return {\n  name = \n}", /^plugin\.lua:3: unexpected symbol near '}'$/));
    test("a fault while loading has a traceback", async () => {
      const head = await refused("local x = nil\nlocal function f() return x.y end\nf()",
                                 /^plugin\.lua:2: attempt to index upvalue 'x'/);
      assert.match(head.trace, /plugin\.lua:3: in main chunk|plugin\.lua:3: in function/);
    });
    test("it must return a table", () => refused("return 1", /must return a table/));
    test("a hook must be a function", () =>
      refused("return { on_alert = 1 }", /on_alert must be a function/));
    test("a misspelt hook is refused by name", () =>
      refused("return { on_alret = print }", /there is no hook 'on_alret'/));
    test("a request while loading is refused", () =>
      refused('require("moonhook.http").get("https://example.com")', /just being loaded/));
    test("loading may not take longer than a hook", () =>
      refused("while true do end", /^plugin\.lua:1: .* 300 ms/, { limits: { timeout_ms: 300 } }));
    test("the process ends by itself afterwards", async () => {
      const sandbox = start();
      await sandbox.load({ "plugin.lua": "(" });
      assert.deepEqual(await sandbox.exit, { code: 0, signal: null });
    });
  });

  describe("the protocol", () => {
    const ends = async (send) => {
      const sandbox = start();
      await sandbox.load(plugin(""));
      send(sandbox);
      assert.notEqual((await sandbox.exit).code, 0);
    };

    test("EOF ends the process", async () => {
      const sandbox = await serve(plugin(""));
      assert.deepEqual(await sandbox.close(), { code: 0, signal: null });
    });
    test("a type that does not exist ends it", () => ends((s) => s.send(99, 0, {})));
    test("a type that only a sandbox may send ends it", () => ends((s) => s.send("RESULT", 1, {})));
    test("a second LOAD ends it", () => ends((s) => s.send("LOAD", 0, { limits: {}, config: {} })));
    test("a frame past the maximum ends it", () => ends((s) => {
      const header = frame("CALL", 1, "");
      header.writeUInt32LE(8 * 1024 * 1024 + 1, 0);
      s.socket.write(header);
    }));
    test("a CALL before LOAD ends it", async () => {
      const sandbox = start();
      sandbox.start("on_alert", eventOf({}));
      assert.notEqual((await sandbox.exit).code, 0);
    });
    test("frames may come in any pieces", async () => {
      const sandbox = await serve(plugin("return data.n"));
      const bytes = frame("CALL", 7, { hook: "on_alert", attempt: 1, delivery_id: "d", arg: "data" },
                          JSON.stringify(eventOf({ n: 42 })));
      for (let i = 0; i < bytes.length; i += 50) {
        sandbox.socket.write(bytes.subarray(i, i + 50));
        await new Promise((resolve) => setImmediate(resolve));
      }
      assert.equal((await sandbox.result(7)).body, "42");
    });
    test("a large event and a large answer pass", async () => {
      const text = "x".repeat(3 << 20);
      assert.equal(await returns("return #data.text", { text }), text.length);
    });
  });

  describe("a hook", () => {
    test("gets the event's data and a context", async () => {
      const { data, ctx } = await returns("return { data = data, ctx = ctx }", { title: "t" },
                                          { config: { channel: "#a" } });
      assert.deepEqual(data, { title: "t" });
      assert.deepEqual(ctx, { config: { channel: "#a" }, delivery_id: "evt_1~test",
        event: { id: "evt_1", type: "alert", org_id: "acme", attempt: 1,
                 timestamp: "2026-01-22T10:00:00.000Z" } });
    });
    test("gets the whole event where the call says so", async () => {
      const sandbox = await serve({ "plugin.lua": `return { on_event = function(event, ctx)
        return { event = event, type = ctx.event.type } end }` });
      const id = sandbox.start("on_event", eventOf({ a: 1 }, "custom"), "event");
      assert.deepEqual(JSON.parse((await sandbox.result(id)).body),
                       { event: eventOf({ a: 1 }, "custom"), type: "custom" });
    });
    test("setup gets nothing but the context", async () => {
      const sandbox = await serve({ "plugin.lua": `return { setup = function(ctx, more)
        return { ctx.config.a, more == nil, ctx.event == nil } end }` }, { config: { a: 1 } });
      assert.deepEqual((await sandbox.call("setup")).value, [1, true, true]);
    });
    test("cannot change the configuration of the next", async () => {
      const sandbox = await serve(plugin("local c = ctx.config.n; ctx.config.n = 2; return c"),
                                  { config: { n: 1 } });
      await sandbox.call("on_alert", {});
      assert.equal((await sandbox.call("on_alert", {})).value, 1);
    });
    test("that the plugin does not have is an error", async () => {
      const sandbox = await serve(plugin(""));
      assert.match((await sandbox.call("on_error", {})).message, /no hook 'on_error'/);
    });
    test("that returns nothing returns null", async () =>
      assert.equal(await returns("local x = 1"), null));
    test("can be cancelled while it waits, and the others go on", async () => {
      const sandbox = await serve(plugin('return require("moonhook.http").get("u").body'));
      const first = sandbox.start("on_alert", eventOf({})), one = await sandbox.request(first);
      const second = sandbox.start("on_alert", eventOf({})), two = await sandbox.request(second);
      sandbox.send("CANCEL", first, {});
      const { head, body } = answer(200, "b");
      sandbox.send("REPLY", one.id, head, "a");
      sandbox.send("REPLY", two.id, head, body);
      assert.equal((await sandbox.result(second)).body, '"b"');
      assert.ok(!sandbox.frames.some((f) => f.type === "RESULT"));
    });
  });

  describe("an error", () => {
    test("has the plugin's line and a traceback", async () => {
      const { code, message, trace } = await fails("local function f() error('no') end\nf() return 1");
      assert.equal(code, "plugin_error");
      assert.equal(message, "plugin.lua:2: no");
      assert.match(trace, /^stack traceback:\n.*\n\tplugin\.lua:2: in function 'f'\n\tplugin\.lua:3: in/);
    });
    test("of the VM has its line", async () =>
      assert.match((await fails("\n\nreturn data.x.y")).message, /^plugin\.lua:4: attempt to index field 'x'/));
    test("in a required file names that file", async () => {
      const sandbox = await serve({ ...plugin('return require("lib.util").f()'),
        "lib/util.lua": "return { f = function()\n  error('deep') end }" });
      assert.equal((await sandbox.call("on_alert", {})).message, "lib/util.lua:2: deep");
    });
    test("may say when to try again, or never", async () => {
      assert.deepEqual((await fails('error(require("moonhook.retry").after(30))')).retry, { after_s: 30 });
      const { retry, message } = await fails('error(require("moonhook.retry").never("gone"))');
      assert.deepEqual([retry, message], [{ never: true }, "gone"]);
    });
    test("passes a retry on through pcall", async () =>
      assert.deepEqual((await fails(`local retry = require "moonhook.retry"
        local ok, why = pcall(error, retry.after(2)) error(why)`)).retry, { after_s: 2 }));
    for (const [what, value, message] of [
      ["nil", "nil", /a nil value/], ["a table", "{}", /a table value/],
      ["a table with a message", "{ message = 'm' }", /^m$/], ["a function", "print", /a function value/],
      ["a hostile __tostring", "setmetatable({}, { __tostring = function() error('x') end })", /cannot be shown/],
      ["a __tostring that returns a table",
       "setmetatable({}, { __tostring = function() return {} end })", /cannot be shown/],
      ["a forged retry", "setmetatable({ after_s = 5 }, { __metatable = false })", /a table value/],
    ])
      test(`may be ${what}`, async () => assert.match((await fails(`error(${value})`)).message, message));
    test("is bounded, in whole characters", async () => {
      const { message } = await fails('error(("ü"):rep(1e6), 0)');
      assert.equal(Buffer.byteLength(message), 4096);
      assert.match(message, /^ü+$/);
    });
    test("of deep recursion is bounded", async () => {
      const { message, trace } = await fails("local function f() return 1 + f() end return f()");
      assert.match(message, /stack overflow/);
      assert.ok(trace.length < 8192);
    });
    test("does not harm the next call", async () => {
      const sandbox = await serve(plugin("if data.bad then error('x') end return 1"));
      await sandbox.call("on_alert", { bad: true });
      assert.equal((await sandbox.call("on_alert", {})).value, 1);
    });
  });

  describe("limits", () => {
    const quick = { limits: { timeout_ms: 400 } };

    test("a loop ends with the line that it was in", async () => {
      const { code, message, trace } = await fails("local n = 0\nwhile true do\n  n = n + 1\nend", {}, quick);
      assert.equal(code, "timeout");
      assert.match(message, /^plugin\.lua:[345]: the hook has used up its 400 ms/);
      assert.match(trace, /plugin\.lua:[345]: in function/);
    });
    test("pcall in the loop does not help", async () => {
      const { code, trace } = await fails("while true do pcall(function() while true do end end) end", {}, quick);
      assert.equal(code, "timeout");
      assert.match(trace, /\[C\]: in pcall/);
    });
    test("an error whose text is never done is a timeout", async () => {
      const { code, message, trace } = await fails(`error(setmetatable({}, { __tostring = function()
        while true do end end }))`, {}, quick);
      assert.equal(code, "timeout");
      assert.match(message, /^plugin\.lua:3: the hook has used up its 400 ms/);
      assert.match(trace, /plugin\.lua:3: in function/);
    });
    test("the line of a timeout is the plugin's, not moonhook's", async () => {
      const { message } = await fails(`local step = coroutine.wrap(function() while true do coroutine.yield() end end)
        while true do step() end`, {}, quick);
      assert.match(message, /^plugin\.lua:[23]: the hook has used up its 400 ms/);
    });
    test("after a timeout the next call works, and runs with its own time", async () => {
      const sandbox = await serve(plugin("if data.bad then while true do end end return 1"), quick);
      for (let i = 0; i < 2; i++) {
        assert.equal((await sandbox.call("on_alert", { bad: true })).code, "timeout");
        assert.equal((await sandbox.call("on_alert", {})).value, 1);
      }
    });
    test("memory ends with an error, and the next call works", async () => {
      const sandbox = await serve(plugin(`if data.n then local t = {} for i = 1, 1e9 do t[i] = ("x"):rep(i) end end
        return 1`), { memory: 8 << 20 });
      assert.equal((await sandbox.call("on_alert", { n: 1 })).code, "memory");
      assert.equal((await sandbox.call("on_alert", {})).value, 1);
    });
    for (const [what, body] of [
      ["one string", 'local s = "x" while true do s = s .. s end'],
      ["string.rep", 'return #("x"):rep(1e9)'],
      ["a table of tables", "local t = {} while true do t = { t } end"],
      ["coroutines", "local t = {} while true do t[#t + 1] = coroutine.create(print) end"],
    ])
      test(`${what} cannot take more memory`, async () =>
        assert.equal((await fails(body, {}, { memory: 16 << 20 })).code, "memory"));
    test("coroutines nested without end are an error", async () =>
      assert.match((await fails("local function f() return coroutine.wrap(f)() end f()")).message,
                   /nested too deep/));
    test("a hook that yields by itself is an error", async () =>
      assert.match((await fails("coroutine.yield(1)")).message, /yielded/));
    test("a coroutine that waits for an answer cannot be resumed by another hook", async () => {
      const sandbox = await serve(plugin(`local http = require "moonhook.http"
        if not data.second then
          shared = coroutine.create(function() return http.get("u").body end)
          return select(2, coroutine.resume(shared))
        end
        return { coroutine.resume(shared) }`));
      const first = sandbox.start("on_alert", eventOf({})), request = await sandbox.request(first);
      assert.deepEqual((await sandbox.call("on_alert", { second: true })).value,
                       [false, "cannot resume a coroutine that waits for moonhook"]);
      sandbox.send("REPLY", request.id, answer(200).head, "b");
      assert.equal((await sandbox.result(first)).body, '"b"');
    });
    test("a hook cannot be had as a coroutine", async () =>
      assert.equal(await returns("return coroutine.running()"), null));
  });
});
