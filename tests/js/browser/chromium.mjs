/** Debian's Chromium, driven by Playwright: flags for a machine without a screen and without a network. */
import { existsSync } from "node:fs";
import { chromium } from "playwright-core";

const PATHS = [process.env.CHROMIUM, "/usr/bin/chromium", "/usr/bin/chromium-browser"].filter(Boolean);
const FLAGS = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];

/** Flags for WebGPU on a machine without a graphics card. */
export const SOFTWARE_WEBGPU = ["--enable-unsafe-webgpu", "--use-webgpu-adapter=swiftshader"];

/** Start Chromium; `more` are flags for one test. */
export function launch(more = []) {
  const executablePath = PATHS.find((path) => existsSync(path));
  if (!executablePath) throw new Error(`no Chromium at ${PATHS.join(", ")}: install one, or set CHROMIUM`);
  return chromium.launch({ executablePath, args: [...FLAGS, ...more], headless: true });
}
