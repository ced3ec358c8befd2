// lua_plugin.mjs - a plugin whose one hook is told in a test's own words, and asked at once.
import { installed, PluginFolder, resultOf } from './plugins.mjs';

const MODULES = ['events', 'http', 'json', 'retry', 'sign', 'store', 'time'];
let count = 0;

// Installs a plugin whose on_event is `body`, with every module as a local of its name.
export async function luaPlugin(engine, body, { name = `lua-${++count}`, permissions = [], more = '', config = {},
                                                fail = 'drop' } = {}) {
  const before = MODULES.map((m) => `local ${m} = require "moonhook.${m}"`).join('\n');
  const all = ['events:read', ...permissions].map((p) => JSON.stringify(p)).join(', ');
  const folder = new PluginFolder(name, `permissions = { ${all} }, fail = "${fail}", ${more}
    on_event = function(event, ctx)
      local data = event.data
      if data.to ~= "${name}" then return end                 -- an event reaches every plugin
      ${body}\nend,`, { before });
  await engine.ok(200, folder.install(engine, config));
  return {
    name, folder,
    // The row of its hook for an event with this data.
    ask: (data = {}, more = {}) => resultOf(engine, name, 'x', { to: name, ...data }, more),
    // What the hook returns; an error where it raised one.
    async value(data, more) {
      const row = await this.ask(data, more);
      if (row.error) throw new Error(`${row.error.code}: ${row.error.message}`);
      return row.result;
    },
    describe: () => installed(engine, name),
    async remove() { await engine.ok(200, engine.delete(`/api/plugins/${name}`)); },
  };
}
