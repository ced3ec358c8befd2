// sandbox_sdk.test.mjs - the modules that a plugin can require: JSON both ways, the log,
// HTTP requests and their answers, text and time.
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { answer, eventOf, failure } from "./lib/frames.mjs";
import { plugin, suites } from "./lib/sandbox_suite.mjs";

suites(({ start, serve, returns, fails }) => {
  describe("JSON", () => {
    const same = async (text) => {
      const sandbox = await serve(plugin("return data"));
      const id = sandbox.start("on_alert", `{"id":"e","event":"alert","data":${text}}`);
      assert.equal((await sandbox.result(id)).body, text);
    };
    for (const text of ["null", "[]", "{}", '{"a":[]}', '{"a":{}}', '{"a":null}', "[null]",
                        "9007199254740993", "-9223372036854775808", "9223372036854775807",
                        "9007199254740992", "0.1", "1e+300", "-0", "123456789012345", "2.5e-10",
                        '"ünïcödé 🌙"', '"\\u0001\\"\\\\\\n"', "[[[[]]]]", "true"])
      test(`${text} comes back as it went in`, () => same(text));

    test("surrogate pairs become one character", async () =>
      assert.equal(await returns('return #require("moonhook.json").decode([["\\ud83c\\udf19"]])'), 4));
    test("an integer past 2^53 prints and compares as its digits", async () => {
      const sandbox = await serve(plugin(`local a, b = data[1], data[2]
        return { tostring(a), "id " .. a .. "!", a < b, a == b, a == data[3], string.format("%s", a) }`));
      const id = sandbox.start("on_alert",
        '{"data":[9007199254740993,9007199254740995,9007199254740993]}');   // JSON.stringify rounds
      assert.deepEqual(JSON.parse((await sandbox.result(id)).body),
        ["9007199254740993", "id 9007199254740993!", true, false, true, "9007199254740993"]);
    });
    test("what is not text becomes text", async () =>
      assert.equal(await returns('return "a\\0b\\255c"'), "a\ufffdb\ufffdc"));
    for (const [what, value, why] of [
      ["a function", "print", /function/], ["a coroutine", "coroutine.create(print)", /this type/],
      ["infinity", "1/0", /infinity/],
      ["a table that holds itself", "(function() local t = {} t.t = t return t end)()", /holds itself/],
      ["a mixed table", "{ 1, x = 2 }", /both list items/], ["too much", '("x"):rep(300000)', /too large/],
    ])
      test(`${what} is no result`, async () => {
        const { code, message } = await fails(`return ${value}`);
        assert.equal(code, "bad_result");
        assert.match(message, why);
      });
    for (const text of ["", "{", "[1,]", '{"a"}', "01", "1.", "nul", '"\n"', "[1] 2", "'a'", "[".repeat(65)])
      test(`${JSON.stringify(text).slice(0, 20)} is refused`, async () => {
        const { message } = await fails('require("moonhook.json").decode(data.text)', { text });
        assert.match(message, /plugin\.lua:2: json\.decode: invalid JSON at byte \d+/);
      });
  });

  describe("the log", () => {
    test("takes formats, values and tables, and print", async () => {
      const sandbox = await serve(plugin(`local log = require "moonhook.log"
        log.info("%d of %s", 3, "x"); log.warn("odd", 4, { a = 1 }); log.error(nil); log.debug("100%")
        print(1, nil, "b")`));
      const id = sandbox.start("on_alert", eventOf({}));
      await sandbox.result(id);
      assert.deepEqual(sandbox.logs(), [
        { call: id, level: "info", text: "3 of x" }, { call: id, level: "warn", text: 'odd 4 {"a":1}' },
        { call: id, level: "error", text: "nil" }, { call: id, level: "debug", text: "100%" },
        { call: id, level: "info", text: "1\tnil\tb" }]);
    });
    test("has an end, and says so once", async () => {
      const sandbox = await serve(plugin("for i = 1, 100 do print(i) end"), { limits: { log_lines: 3 } });
      await sandbox.call("on_alert", {});
      assert.deepEqual(sandbox.logs().map((line) => line.text),
                       ["1", "2", "3", "further lines of this call are left out"]);
    });
    test("cuts a long line between characters", async () => {
      const sandbox = await serve(plugin('print("x" .. ("ü"):rep(2000))'));
      await sandbox.call("on_alert", {});
      assert.equal(sandbox.logs()[0].text, "x" + "ü".repeat(1023));
    });
  });

  describe("HTTP", () => {
    test("a request says all that the engine needs", async () => {
      const sandbox = await serve(plugin(`local res = require("moonhook.http").post(ctx.config.url .. "/x", {
        json = { a = { 1 } }, headers = { ["X-Key"] = "k" }, auth = { "u", "p" }, query = { b = 2, a = "1" },
        timeout_ms = 300 })
        return { res.status, res.headers["content-TYPE"], res:json().ok, res.body }`),
        { config: { url: "mhs_0123456789abcdef0123456789abcdef" } });
      const id = sandbox.start("on_alert", eventOf({}));
      const { head, body, id: request } = await sandbox.request(id);
      assert.deepEqual(head, { call: id, op: "http", method: "POST", body: "json", auth: ["u", "p"],
        url: "mhs_0123456789abcdef0123456789abcdef/x", query: [["a", "1"], ["b", "2"]], timeout_ms: 300,
        headers: [["X-Key", "k"], ["Content-Type", "application/json"]] });
      assert.equal(body, '{"a":[1]}');
      sandbox.send("REPLY", request, answer(201, "", { "Content-Type": "application/json" }).head, '{"ok":true}');
      assert.deepEqual(JSON.parse((await sandbox.result(id)).body),
                       [201, "application/json", true, '{"ok":true}']);
    });
    test("a form is encoded, a raw body is not", async () => {
      const sandbox = await serve(plugin(`local http = require "moonhook.http"
        http.put("u", { form = { { "z", "a b&ü" }, { "a", 1 } } })
        http.request("patch", "u", { body = "a b&", headers = { ["content-type"] = "text/plain" } })`));
      sandbox.start("on_alert", eventOf({}));
      const form = await sandbox.request();
      assert.equal(form.body, "z=a%20b%26%C3%BC&a=1");
      assert.equal(form.head.body, "form");
      sandbox.send("REPLY", form.id, answer(200).head, "");
      const raw = await sandbox.request();
      assert.equal(raw.body, "a b&");
      assert.deepEqual([raw.head.method, raw.head.body, raw.head.headers],
                       ["PATCH", "raw", [["content-type", "text/plain"]]]);
    });
    test("many hooks wait at once and each gets its own answer", async () => {
      const sandbox = await serve(plugin(`local http = require "moonhook.http"
        local a = http.get("u/" .. data.n).body
        return a .. http.get("v/" .. data.n).body`));
      const ids = Array.from({ length: 200 }, (_, n) => sandbox.start("on_alert", eventOf({ n })));
      for (const round of ["u", "v"]) {
        const requests = [];
        for (const id of ids) requests.push(await sandbox.request(id));
        for (const { id, head } of requests.reverse()) {
          assert.ok(head.url.startsWith(round));
          sandbox.send("REPLY", id, answer(200).head, head.url);
        }
      }
      for (const [n, id] of ids.entries())
        assert.equal((await sandbox.result(id)).body, `"u/${n}v/${n}"`);
    });
    test("a request from a coroutine of the plugin's own suspends the whole hook", async () => {
      const sandbox = await serve(plugin(`local http = require "moonhook.http"
        local fetch = coroutine.wrap(function()
          for i = 1, 3 do coroutine.yield(http.get("u" .. i).body) end
        end)
        return { fetch(), fetch(), fetch() }`));
      const replies = Array(3).fill(({ head }) => answer(200, head.url));
      assert.deepEqual((await sandbox.call("on_alert", {}, replies)).value, ["u1", "u2", "u3"]);
    });
    test("a request inside pcall works", async () => {
      const sandbox = await serve(plugin(`return { pcall(function()
        return require("moonhook.http").get("u"):expect(200).body end) }`));
      assert.deepEqual((await sandbox.call("on_alert", {}, [answer(200, "b")])).value, [true, "b"]);
    });
    test("a request where Lua cannot wait is an error, and the hook goes on", async () => {
      const sandbox = await serve(plugin(`local http = require "moonhook.http"
        local ok, why = pcall(table.sort, { 2, 1, 3 }, function() http.get("u") end)
        return { ok, why, http.get("v").body }`));
      const { value } = await sandbox.call("on_alert", {}, [answer(200, "b")]);
      assert.equal(value[0], false);
      assert.match(value[1], /yield/);
      assert.equal(value[2], "b");
    });
    test("a refused request is an error in words", async () => {
      const sandbox = await serve(plugin('return require("moonhook.http").get("u").error'));
      assert.deepEqual((await sandbox.call("on_alert", {}, [failure("denied", "not permitted")])).value,
                       { code: "denied", message: "not permitted" });
    });
    for (const [what, options, why] of [
      ["an unknown option", "{ jsn = 1 }", /plugin\.lua:2: there is no option 'jsn'/],
      ["two bodies", "{ json = 1, body = 'x' }", /exclude each other/],
      ["headers of the wrong form", "{ headers = { 'a' } }", /headers must be/],
      ["a body without JSON form", "{ json = print }", /function/],
      ["a wrong type", "{ timeout_ms = '1' }", /timeout_ms must be a number/],
    ])
      test(`${what} is refused at the plugin's line`, async () => {
        const { message } = await fails(`require("moonhook.http").post("u", ${options})`);
        assert.match(message, why);
        assert.match(message, /^plugin\.lua:2: /);
      });

    for (const [status, more, retry] of [
      [408, {}, undefined], [429, { retry_after_s: 7.5 }, { after_s: 7.5 }], [500, {}, undefined],
      [503, { retry_after_s: 60 }, { after_s: 60 }], [400, {}, { never: true }], [301, {}, { never: true }],
      [404, { retry_after_s: 5 }, { never: true }], [204, {}, { never: true }],
    ])
      test(`expect(200) of ${status} says ${JSON.stringify(retry ?? "retry as usual")}`, async () => {
        const sandbox = await serve(plugin('require("moonhook.http").get("u"):expect(200)'));
        const { message, retry: said } = await sandbox.call("on_alert", {}, [answer(status, "why  not", {}, more)]);
        assert.match(message, new RegExp(`the service answered ${status}: why not`));
        assert.deepEqual(said, retry);
      });
    test("expect() of no answer is tried again, of a refusal it is not", async () => {
      const sandbox = await serve(plugin('require("moonhook.http").get("u"):expect()'));
      assert.equal((await sandbox.call("on_alert", {}, [failure("connect")])).retry, undefined);
      assert.deepEqual((await sandbox.call("on_alert", {}, [failure("denied")])).retry, { never: true });
    });
  });

  describe("a request of the SDK", () => {
    for (const [call, head, body] of [
      ['require("moonhook.sign").hmac("sha256", "k\\255", "text", "raw")',
       { op: "sign", what: "hmac", algorithm: "sha256", encoding: "raw", key_bytes: 2 }, /^k.text$/],
      ['require("moonhook.store").cas("k", { 1 }, "new", { ttl_s = 1.5 })',
       { op: "store", what: "cas", key: "k", expected_bytes: 3, live_ms: 1500 }, /^\[1\]"new"$/],
      ['require("moonhook.store").cas("k", nil, "new")', { op: "store", what: "cas", key: "k" }, /^"new"$/],
      ['require("moonhook.events").emit("y", {}, { id = "i" })', { op: "emit", event: "y", id: "i" }, /^{}$/],
    ])
      test(`says all that the engine needs: ${call.slice(9, 40)}`, async () => {
        const sandbox = await serve(plugin(`return ${call}`));
        const id = sandbox.start("on_alert", eventOf({}));
        const request = await sandbox.request(id);
        assert.deepEqual(request.head, { call: id, ...head });
        assert.match(request.body, body);
      });

    const get = plugin('local v = require("moonhook.store").get("k") return v');
    for (const [code, more, retry] of [["denied", {}, { never: true }], ["limit", {}, undefined],
                                       ["limit", { final: true }, { never: true }], ["unavailable", {}, undefined],
                                       ["busy", {}, undefined]])
      test(`that is refused as ${code}${more.final ? " for good" : ""} fails under that name`, async () => {
        const sandbox = await serve(get);
        const refused = { head: { ok: false, code, message: "why", ...more } };
        const outcome = await sandbox.call("on_alert", {}, [refused]);
        assert.deepEqual([outcome.code, outcome.message, outcome.retry],
                         [code, "plugin.lua:2: store.get: why", retry]);
      });

    test("that is not valid fails for good, as the plugin's error", async () => {
      const { code, retry } = await (await serve(get)).call("on_alert", {}, [failure("invalid", "why")]);
      assert.deepEqual([code, retry], ["plugin_error", { never: true }]);
    });
    test("can be caught, and tells its code", async () => {
      const sandbox = await serve(plugin(`local ok, why = pcall(require("moonhook.store").get, "k")
        return { ok, why.code, tostring(why) }`));
      const { value } = await sandbox.call("on_alert", {}, [failure("limit", "full")]);
      assert.deepEqual([value[0], value[1]], [false, "limit"]);
      assert.match(value[2], /store\.get: full/);
    });
  });

  describe("moonhook.text and moonhook.time", () => {
    for (const [expression, wanted] of [
      ['text.truncate("ünïcödé", 4)', "ünï…"], ['text.truncate("ünï", 3)', "ünï"],
      ['text.truncate("abcdef", 4, "..")', "ab.."], ['text.truncate("abc", 1, "...")', "a"],
      ['text.truncate("日本語", 2, "")', "日本"], ['text.truncate_bytes("ünïcödé", 6)', "ün…"],
      ['text.truncate(nil, 5)', ""], ["text.truncate(json.null, 5)", ""], ["text.truncate(12345, 3)", "12…"],
      [`text.html("<a href='x'>&\\"")`, "&lt;a href=&#39;x&#39;&gt;&amp;&quot;"],
      ['text.slack("<!channel> & co")', "&lt;!channel&gt; &amp; co"],
      ['text.markdown("*a* [b](c) 1. #")', "\\*a\\* \\[b\\]\\(c\\) 1\\. \\#"],
      ['text.template("{{a}} {{ b.c }} {{no}}{{d}}", { a = "x%1", b = { c = "<" } }, text.html)', "x%1 &lt; "],
      ['text.of(json.null, "none")', "none"], ["text.of(5)", "5"],
      ["time.iso(1769076000.5)", "2026-01-22T10:00:00.500Z"], ['time.parse("2026-01-22T12:00:00+02:00")', 1769076000],
      ['time.parse("yesterday")', null], ["time.parse(json.null)", null], ["time.now() > 1.7e9", true],
      ["time.iso(-1)", "1969-12-31T23:59:59.000Z"],
    ])
      test(`${expression} is ${JSON.stringify(wanted)}`, async () =>
        assert.deepEqual(await returns(`local text, time, json = require "moonhook.text",
          require "moonhook.time", require "moonhook.json" return (${expression})`), wanted));
  });
});
