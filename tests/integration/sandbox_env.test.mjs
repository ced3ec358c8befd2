// sandbox_env.test.mjs - what a plugin finds in its environment, and all that it does
// not find (see sandbox/env.c).
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { plugin, suites } from "./lib/sandbox_suite.mjs";

suites(({ sanitized, start, serve, returns, fails }) => {
  describe("the environment", () => {
    const GONE = ["io", "package", "jit", "ffi", "newproxy", "setfenv", "getfenv", "dofile", "loadfile",
                  "module", "gcinfo", "string.dump", "os.execute", "os.exit", "os.getenv", "os.remove",
                  "os.rename", "os.setlocale", "os.tmpname", "debug.getinfo", "debug.sethook",
                  "debug.getregistry", "debug.getmetatable", "debug.setmetatable", "debug.getupvalue",
                  "debug.setupvalue", "debug.upvaluejoin", "debug.getlocal", "debug.getfenv"];
    test("lacks all that is dangerous", async () => {
      const found = await returns(`local json, found = require "moonhook.json", {}
        for _, path in ipairs(data) do
          local value = _G
          for name in path:gmatch("[^.]+") do value = value and value[name] end
          if value ~= nil then found[#found + 1] = path end
        end
        return json.array(found)`, GONE);
      assert.deepEqual(found, []);
    });
    test("holds exactly what it should", async () => {
      const names = await returns(`local names = {} for name in pairs(_G) do names[#names + 1] = name end
        table.sort(names) return names`);
      assert.deepEqual(names, ["_G", "_VERSION", "assert", "bit", "collectgarbage", "coroutine", "debug",
        "error", "getmetatable", "ipairs", "load", "loadstring", "math", "next", "os", "pairs", "pcall",
        "print", "rawequal", "rawget", "rawset", "require", "select", "setmetatable", "string", "table",
        "tonumber", "tostring", "type", "unpack", "xpcall"]);
    });
    for (const name of ["ffi", "jit", "jit.util", "string.buffer", "io", "os", "debug", "table.new", "_G",
                        "moonhook.boot", "moonhook", "/etc/passwd", "../plugin", "moonhook.nothing"])
      test(`require finds no ${name}`, async () =>
        assert.match((await fails("require(data.name)", { name })).message, /there is no module/));
    test("an integer with LL does not bring ffi back", async () =>
      assert.deepEqual(await returns('local x = load("return 1LL")() return { pcall(require, "ffi"), ffi == nil }'),
                       [false, true]));
    test("require finds the plugin's own files, once each", async () => {
      const sandbox = await serve({ ...plugin(`return { require("lib.a").n, require("lib.a") == require("lib.a"),
        require("b").me, (pcall(require, "loop")) }`), "lib/a.lua": "return { n = 1 }",
        "b/init.lua": "return { me = ... }", "loop.lua": 'return require "loop"' });
      assert.deepEqual((await sandbox.call("on_alert", {})).value, [1, true, "b", false]);
    });
    test("takes no bytecode", async () => {
      const luac = "\\27LJ\\2\\2";
      assert.deepEqual(await returns(`return { load("${luac}") == nil, loadstring("${luac}") == nil,
        load("${luac}", "x", "b") == nil, load(function() return nil end, "x", "b") == nil }`),
        [true, true, true, true]);
      assert.equal((await start().load({ "plugin.lua": "\x1bLJ\x02\x02" })).type, "FAILED");
      const sandbox = await serve({ ...plugin('require "evil"'), "evil.lua": "\x1bLJ\x02" });
      assert.equal((await sandbox.call("on_alert", {})).ok, false);
    });
    test("load takes text, with a name and an environment", async () =>
      assert.deepEqual(await returns(`local f = load("return x, ...", "=c", "t", { x = 1 })
        return { f(2) }, select(2, load("x x"))`), [1, 2]));
    test("shows no address", async () => {
      const text = await returns(`local co = coroutine.create(print)
        local all = { tostring({}), tostring(print), tostring(co), tostring(require("moonhook.json").null),
          string.format("%s %s %s", {}, print, co), ("%s"):format({}), debug.traceback(), tostring(function() end),
          select(2, pcall(string.format, "%p", {})), select(2, pcall(string.format, "%5p", {})),
          select(2, pcall(string.rep, {}, 1)), select(2, pcall(table.concat, { {} })),
          select(2, pcall(string.format, "%d", {})), tostring(setmetatable({}, { __name = "x" })),
          select(2, pcall(tostring, setmetatable({}, { __tostring = function() return {} end }))),
          select(2, pcall(string.format, "%s", setmetatable({}, { __tostring = function() return {} end }))),
          select(2, xpcall(function() local x = nil; x() end, debug.traceback)) }
        print({}, print, co)
        return table.concat(all, "|")`);
      assert.doesNotMatch(text, /0x|builtin/);
      assert.match(text, /^table\|function\|thread\|null\|table function thread\|table\|/);
    });
    test("the strings' metatable cannot be reached", async () =>
      assert.deepEqual(await returns('return { getmetatable(""), (pcall(setmetatable, "", {})), ("x"):upper() }'),
                       [false, false, "X"]));
    test("nor those of json's own values", async () =>
      assert.deepEqual(await returns(`local json = require "moonhook.json"
        return { getmetatable(json.null), getmetatable(json.array()), (pcall(setmetatable, json.array(), {})) }`),
        [false, false, false]));
    test("collectgarbage counts and does nothing else", async () =>
      assert.deepEqual(await returns(`return { collectgarbage("count") > 0, (pcall(collectgarbage)),
        (pcall(collectgarbage, "stop")) }`), [true, false, false]));
    test("two processes draw different numbers", async () => {
      const draw = () => returns("return { math.random(), math.random() }");
      assert.notDeepEqual(await draw(), await draw());
    });
    test("time is UTC and works in the jail", async () =>
      assert.deepEqual(await returns(`return { os.date("%Y-%m-%d %H:%M %Z", 0), os.time{ year = 1970, month = 1,
        day = 1, hour = 0 }, os.clock() >= 0, os.difftime(2, 1), os.date("!*t", 60).min }`),
        ["1970-01-01 00:00 UTC", 0, true, 1, 1]));
    test("a plugin that breaks its libraries breaks itself alone", async () => {
      const sandbox = await serve(plugin(`local all = _G
        string.format, table.concat, string.sub = nil
        for name in pairs(all) do all[name] = nil end return 1`));
      assert.equal((await sandbox.call("on_alert", {})).value, 1);
      assert.equal((await sandbox.call("on_alert", {})).ok, false);
    });
    test("jit runs where it was permitted", { skip: sanitized }, async () =>
      assert.equal(await returns("local n = 0 for i = 1, 1e6 do n = n + i % 7 end return n", {},
                                 { jit: "jit" }), 2999998));
  });
});
