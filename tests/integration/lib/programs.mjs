// programs.mjs - where the build under test is: MOONHOOK_BUILD, or what tests/run says.
import { existsSync } from "node:fs";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";

export const ROOT = fileURLToPath(new URL("../../..", import.meta.url));
const BUILD = resolve(ROOT, process.env.MOONHOOK_BUILD ?? process.env.MH_BUILD ?? "build-test");

// The sandbox as it is used, and with sanitizers where that was built; or the one that
// SANDBOX names.
export const SANDBOXES = process.env.SANDBOX ? [process.env.SANDBOX]
  : ["moonhook-sandbox", "moonhook-sandbox-asan"].map((name) => join(BUILD, name))
      .filter((path, i) => i === 0 || existsSync(path));
