// frames.mjs - plays the engine towards one moonhook-sandbox: spawns it with a socket
// as fd 3 and speaks frames (engine/proto/frame.h and message.h).
import { spawn } from "node:child_process";
import { once } from "node:events";

export const TYPE = { FILE: 1, LOAD: 2, CALL: 3, REPLY: 4, CANCEL: 5,
                      LOADED: 16, FAILED: 17, RESULT: 18, REQUEST: 19, LOG: 20 };
const NAME = Object.fromEntries(Object.entries(TYPE).map(([name, number]) => [number, name]));
const HEADER = 16;

export function frame(type, id, head, body = "") {
  const headBytes = Buffer.from(typeof head === "string" ? head : JSON.stringify(head));
  const bodyBytes = Buffer.isBuffer(body) ? body : Buffer.from(body);
  const header = Buffer.alloc(HEADER);
  header.writeUInt32LE(headBytes.length + bodyBytes.length, 0);
  header.writeUInt32LE(headBytes.length, 4);
  header.writeUInt32LE(id, 8);
  header.writeUInt8(TYPE[type] ?? type, 12);
  return Buffer.concat([header, headBytes, bodyBytes]);
}

function parse(bytes) {
  if (bytes.length < HEADER) return null;
  const payload = bytes.readUInt32LE(0), head = bytes.readUInt32LE(4);
  if (bytes.length < HEADER + payload) return null;
  return {
    id: bytes.readUInt32LE(8), type: NAME[bytes.readUInt8(12)],
    head: JSON.parse(bytes.subarray(HEADER, HEADER + head).toString()),
    body: bytes.subarray(HEADER + head, HEADER + payload).toString(),
    used: HEADER + payload,
  };
}

// CPU time past all timeouts: which of two equal ones is over first is chance.
export const LIMITS = { timeout_ms: 5000, cpu_ms: 60_000, memory_bytes: 32 << 20, result_bytes: 256 << 10,
                        log_lines: 64 };

export class Sandbox {
  constructor(program, { memory = 32 << 20, jit = "nojit", args = [String(memory), jit],
                         stderr = "ignore", uid, gid } = {}) {
    this.child = spawn(program, args, { stdio: ["ignore", "ignore", stderr, "pipe"], env: {}, uid, gid });
    this.socket = this.child.stdio[3];
    this.exit = once(this.child, "exit").then(([code, signal]) => ({ code, signal }));
    this.frames = [];
    this.waiting = [];
    this.lastId = 0;
    let bytes = Buffer.alloc(0);
    this.socket.on("data", (chunk) => {
      bytes = Buffer.concat([bytes, chunk]);
      for (let f; (f = parse(bytes)); bytes = bytes.subarray(f.used)) this.#take(f);
    });
    this.socket.on("error", () => {});
    this.socket.on("close", () => {
      this.closed = true;
      for (const w of this.waiting.splice(0)) w.reject(new Error("the sandbox ended"));
    });
  }

  #take(f) {
    const at = this.waiting.findIndex((w) => w.wants(f));
    if (at < 0) this.frames.push(f);
    else this.waiting.splice(at, 1)[0].resolve(f);
  }

  send(type, id, head, body) { this.socket.write(frame(type, id, head, body)); }

  // The first frame, come or to come, that `wants` is true of.
  next(wants = () => true) {
    const at = this.frames.findIndex(wants);
    if (at >= 0) return Promise.resolve(this.frames.splice(at, 1)[0]);
    if (this.closed) return Promise.reject(new Error("the sandbox ended"));
    return new Promise((resolve, reject) => this.waiting.push({ wants, resolve, reject }));
  }

  async load(files, { config = {}, limits = {}, mode = "serve", jit = false } = {}) {
    for (const [name, text] of Object.entries(files)) this.send("FILE", 0, { name }, text);
    this.send("LOAD", 0, { name: "test", config, limits: { ...LIMITS, ...limits }, jit, mode });
    return this.next((f) => f.type === "LOADED" || f.type === "FAILED");
  }

  start(hook, event, arg = event === undefined ? "none" : "data") {
    const id = ++this.lastId;
    this.send("CALL", id, { hook, attempt: 1, delivery_id: `evt_${id}~test`, arg },
              event === undefined ? "" : typeof event === "string" ? event : JSON.stringify(event));
    return id;
  }

  result(id) { return this.next((f) => f.type === "RESULT" && f.id === id); }

  request(call) { return this.next((f) => f.type === "REQUEST" && (!call || f.head.call === call)); }

  // Calls a hook with an event's data; its result, or the whole head where it failed.
  async call(hook, data, replies = []) {
    const id = this.start(hook, data === undefined ? undefined : eventOf(data));
    for (const reply of replies) {
      const request = await this.request(id);
      const { head, body } = typeof reply === "function" ? reply(request) : reply;
      this.send("REPLY", request.id, head, body);
    }
    const { head, body } = await this.result(id);
    return head.ok ? { ok: true, value: JSON.parse(body), text: body } : head;
  }

  logs() {
    return this.frames.filter((f) => f.type === "LOG").map((f) => ({ ...f.head, text: f.body }));
  }

  close() {
    this.socket.destroy();
    return this.exit;
  }
}

export const eventOf = (data, event = "alert") =>
  ({ id: "evt_1", event, timestamp: "2026-01-22T10:00:00.000Z", org_id: "acme", data });

export const answer = (status, body = "ok", headers = {}, more = {}) =>
  ({ head: { ok: true, status, headers, ...more }, body });
export const failure = (code, message = code) => ({ head: { ok: false, code, message } });
