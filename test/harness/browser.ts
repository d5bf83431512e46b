import { access } from "node:fs/promises";
import { type Browser, chromium } from "playwright-core";
import { afterAll } from "vitest";
import { installOnDebian } from "./debian-package.ts";

const places = [
  ...(process.env.CHROMIUM === undefined ? [] : [process.env.CHROMIUM]),
  "/usr/bin/chromium",
  "/usr/bin/chromium-browser",
  "/usr/bin/google-chrome",
  "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
];

/** In a container, as root and without a way out: it asks nobody for anything. */
const args = [
  ...["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"],
  ...["--disable-background-networking", "--disable-component-update", "--disable-dev-shm-usage"],
];

/** A Chromium without a window, closed after the file's last test. */
export async function browserForTest(): Promise<Browser> {
  const browser = await chromium.launch({ executablePath: await findBrowser(), args });
  afterAll(() => browser.close());
  return browser;
}

/** @throws Error that says how to get one */
async function findBrowser(): Promise<string> {
  const found = await firstOf(places);
  if (found !== undefined) return found;
  await installOnDebian("chromium");
  const installed = await firstOf(places);
  if (installed !== undefined) return installed;
  throw new Error(
    "no Chromium was found: install it (Debian: apt-get install chromium), or name one in the variable CHROMIUM",
  );
}

async function firstOf(paths: readonly string[]): Promise<string | undefined> {
  for (const path of paths)
    if (
      await access(path).then(
        () => true,
        () => false,
      )
    )
      return path;
  return undefined;
}
