// watch.test.mjs - `serve --watch`: what is saved is served, or the log says why not.
import assert from 'node:assert/strict';
import { mkdirSync, readFileSync, renameSync, rmSync, unlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { Engine, folder } from './lib/engine.mjs';
import { installed, PluginFolder, saysOn, talk } from './lib/plugins.mjs';
import { Receiver } from './lib/receiver.mjs';

const shelf = folder();
const engine = new Engine({ flags: ['--watch', '--plugins', shelf] });
const receiver = new Receiver();

before(() => Promise.all([engine.start(), receiver.start()]));
after(() => Promise.all([engine.stop(), receiver.stop()]));

const says = (name, on = engine) => saysOn(on, name);

// The first line of the log that matches and was not told before.
const told = new Set();
async function next(pattern) {
  const line = await engine.logged({ test: (l) => !told.has(l) && pattern.test(l), toString: () => String(pattern) });
  told.add(line);
  return line;
}
const changed = (name, file) => next(new RegExp(`plugin_changed plugin=${name} file="${file}"`));
const reloaded = (name) => next(new RegExp(`plugin_reloaded plugin=${name} version=`));
const refused = (name) => next(new RegExp(`plugin_reload_failed plugin=${name} `));

async function made(name, lua = talk('old'), more) {
  const plugin = new PluginFolder(name, lua, more);
  await engine.ok(200, plugin.install(engine));
  return plugin;
}

// As many editors save: the new text beside the old, then in its place.
function replace(path, text) {
  writeFileSync(`${path}~`, text);
  renameSync(`${path}~`, path);
}

const textOf = (plugin) => readFileSync(join(plugin.path, 'plugin.lua'), 'utf8');

describe('a plugin whose folder is watched', () => {
  test('serves what was saved, and the log says what changed', async () => {
    const plugin = await made('saved');
    plugin.write(talk('new'), { version: '1.1.0' });
    await changed('saved', 'plugin.lua');
    assert.match(await reloaded('saved'), /version=1\.1\.0/);
    assert.equal(await says('saved'), 'new');
    assert.equal((await installed(engine, 'saved')).previous_version, '1.0.0');
  });

  test('serves on when what was saved is broken; the log names file and line', async () => {
    const plugin = await made('hurt');
    const { metrics: { pid } } = await installed(engine, 'hurt');
    plugin.writeText('\n\nlocal = 1');
    assert.match(await refused('hurt'), /reason="the plugin does not load: plugin\.lua:3: /);
    assert.equal(await says('hurt'), 'old');
    assert.equal((await installed(engine, 'hurt')).metrics.pid, pid);
    plugin.write(`${talk('new')} setup = function() error("not today") end,`);
    assert.match(await refused('hurt'), /plugin\.lua:\d+: not today/);
    plugin.write(`${talk('new')} config = { key = { type = "string", required = true } },`);
    assert.match(await refused('hurt'), /configuration .*\/key/);
    assert.equal(await says('hurt'), 'old');
    plugin.write(talk('healed'));
    await reloaded('hurt');
    assert.equal(await says('hurt'), 'healed');
  });

  test('is saved by renaming, again and again', async () => {
    const plugin = await made('renamed');
    for (const word of ['one', 'two', 'three']) {
      replace(join(plugin.path, 'plugin.lua'), textOf(plugin).replace(/says = "\w+"/, `says = "${word}"`));
      await reloaded('renamed');
      assert.equal(await says('renamed'), word);
    }
  });

  test('can require a file that is new, in a folder that is new', async () => {
    const plugin = await made('growing');
    mkdirSync(join(plugin.path, 'lib'));
    writeFileSync(join(plugin.path, 'lib', 'words.lua'), 'return { word = "from a file" }');
    await changed('growing', 'lib/words.lua');
    await reloaded('growing');
    plugin.write('permissions = { "alerts:read" }, on_alert = function() return { says = require("lib.words").word } end,');
    await reloaded('growing');
    assert.equal(await says('growing'), 'from a file');
    replace(join(plugin.path, 'lib', 'words.lua'), 'return { word = "from it again" }');
    await changed('growing', 'lib/words.lua');
    await reloaded('growing');
    assert.equal(await says('growing'), 'from it again');
  });

  test('is not reloaded for what is no file of it', async () => {
    const plugin = await made('calm');
    const before = engine.lines.length;
    for (const file of ['README.md', 'test.lua', '.plugin.lua.swp', 'plugin.lua~', '4913'])
      writeFileSync(join(plugin.path, file), 'x = ');
    unlinkSync(join(plugin.path, '4913'));
    plugin.writeText(textOf(plugin));       // the same text
    writeFileSync(join(plugin.path, 'extra.lua'), 'return 1');
    await changed('calm', 'extra.lua');
    await reloaded('calm');
    assert.equal(engine.lines.slice(before).filter((line) => /plugin_changed plugin=calm/.test(line)).length, 1);
  });

  test('may be another folder that is put in the old one\'s place', async () => {
    const plugin = await made('swapped');
    mkdirSync(`${plugin.path}.new`);
    writeFileSync(join(`${plugin.path}.new`, 'plugin.lua'), textOf(plugin).replace('"old"', '"new"'));
    renameSync(plugin.path, `${plugin.path}.old`);
    renameSync(`${plugin.path}.new`, plugin.path);
    await reloaded('swapped');
    assert.equal(await says('swapped'), 'new');
    rmSync(plugin.path, { recursive: true });
    mkdirSync(plugin.path);
    plugin.write(talk('newer'));
    await reloaded('swapped');
    assert.equal(await says('swapped'), 'newer');
  });

  test('is reloaded after the change that is under way with it', async () => {
    receiver.answer = () => ({});
    const held = [];
    const slow = (word) => `permissions = { "alerts:read", "http:127.0.0.1:${receiver.port}" },
      config = { n = { type = "integer", default = 1 } },
      setup = function() require("moonhook.http").get("${receiver.url}/setup"):expect(200) end,
      on_alert = function(_, ctx) return { says = "${word}" .. ctx.config.n } end,`;
    const plugin = await made('busy', slow('old'));
    receiver.reset();
    receiver.answer = () => new Promise((resolve) => { held.push(() => resolve({})); });
    const configured = engine.put('/api/plugins/busy/config', { n: 2 });
    await receiver.got(1);                  // its setup, which waits: the operation is under way
    plugin.write(slow('new'));
    writeFileSync(join((await made('beside')).path, 'more.lua'), 'return 1');
    await reloaded('beside');               // saved later, noticed already
    assert.equal(receiver.requests.length, 1);
    receiver.answer = () => ({});
    held[0]();
    await engine.ok(200, configured);
    await reloaded('busy');
    assert.equal(await says('busy'), 'new2');
  });

  test('may stand in a folder of --plugins, and be removed and installed again', async () => {
    const path = join(shelf, 'shelved');
    const write = (word) => writeFileSync(join(path, 'plugin.lua'),
      `return { name = "shelved", version = "1", ${talk(word)} }`);
    mkdirSync(path);
    write('old');
    for (const word of ['one', 'two']) {
      await engine.ok(200, engine.post('/api/plugins/install', { source: 'shelved' }));
      write(word);
      await reloaded('shelved');
      assert.equal(await says('shelved'), word);
      await engine.ok(200, engine.delete('/api/plugins/shelved'));
      write('old');
    }
  });

  test('is watched from the start of the engine on, and sleeps until it is saved', async () => {
    const path = join(shelf, 'lasting');
    const write = (word) => writeFileSync(join(path, 'plugin.lua'),
      `return { name = "lasting", version = "1", ${talk(word)} }`);
    mkdirSync(path);
    write('old');
    await engine.ok(200, engine.post('/api/plugins/install', { source: 'lasting' }));
    await engine.stop();
    await engine.start();
    assert.equal((await installed(engine, 'lasting')).status, 'asleep');
    write('new');
    await reloaded('lasting');
    assert.equal(await says('lasting'), 'new');
  });
});

test('without --watch a plugin stays as it is until it is reloaded', async () => {
  const still = new Engine();
  await still.start();
  const plugin = new PluginFolder('still', talk('old'));
  await still.ok(200, plugin.install(still));
  plugin.write(talk('new'));
  writeFileSync(join((await made('elsewhere')).path, 'more.lua'), 'return 1');
  await reloaded('elsewhere');              // by an engine that watches
  assert.equal(await says('still', still), 'old');
  await still.stop();
});
