// plugins.mjs - plugins made for one test: folders on the disk, installed from there.
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { folder } from './engine.mjs';

const all = folder('mh-plugins-');

// A plugin's folder. `lua`: what stands in its table besides name and version; `before`:
// what stands above the table.
export class PluginFolder {
  constructor(name, lua, { before = '', version = '1.0.0' } = {}) {
    this.name = name;
    this.path = join(all, name);
    mkdirSync(this.path);
    this.write(lua, { before, version });
  }

  write(lua, { before = '', version = '1.0.0' } = {}) {
    this.writeText(`${before}\nreturn { name = "${this.name}", version = "${version}", author = "test",\n`
      + `description = "A test's own", ${lua}\n}\n`);
  }

  writeText(text) { writeFileSync(join(this.path, 'plugin.lua'), text); }

  get source() { return `file:${this.path}`; }

  install(engine, config = {}) {
    return engine.post('/api/plugins/install', { source: this.source, config });
  }
}

export async function installed(engine, name) {
  const { json } = await engine.get('/api/plugins/installed');
  return json.find((plugin) => plugin.name === name);
}

// Sends an event and waits for the hooks: the row of `name` in the results.
export async function resultOf(engine, name, type, data = {}, more = {}) {
  const got = await engine.ok(200, engine.post('/api/events?wait=15000', { event: type, data, ...more }));
  return { event: got.id, ...got.results.find((row) => row.plugin === name) };
}

// Lua of a plugin that says one word, and what the plugin of that name says.
export const talk = (word) => `permissions = { "alerts:read" }, on_alert = function() return { says = "${word}" } end,`;
export const saysOn = async (engine, name) => (await resultOf(engine, name, 'alert')).result.says;

// A Slack as far as the slack plugin can tell: posts to /services/..., "ok" or a reason.
export function answerAsSlack(request) {
  if (!request.url.startsWith('/services/')) return { status: 404, body: 'no_service' };
  const { text, blocks, attachments } = request.json ?? {};
  return text || blocks || attachments ? { body: 'ok' } : { status: 400, body: 'no_text' };
}
