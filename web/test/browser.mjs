// Chromium, and pages that remember whatever went wrong on them.
import { chromium } from "playwright-core";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const flags = [
  "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
  "--disable-component-update", "--disable-sync", "--hide-scrollbars",
  "--blink-settings=primaryHoverType=2,availableHoverTypes=2,primaryPointerType=4,availablePointerTypes=4", // there is a mouse
];

export const looks = ["light", "dark"].flatMap((scheme) => [1440, 390].map((width) => ({ scheme, width, name: `${scheme}-${width}` })));

export async function openBrowser() {
  const profile = mkdtempSync(join(tmpdir(), "tidemark-chromium-"));
  const context = await chromium.launchPersistentContext(profile, {
    executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium", headless: false, args: flags, viewport: null,
  });
  return {
    // open shows an address in a new page. page.faults are console errors, exceptions, dialogs and requests to elsewhere.
    // before(page) may prepare it.
    async open(url, { scheme = "light", width = 1440, before = null } = {}) {
      const page = await context.newPage();
      await before?.(page);
      page.faults = [];
      page.on("console", (m) => ["error", "warning"].includes(m.type()) && page.faults.push(`console: ${m.text()}`));
      page.on("pageerror", (error) => page.faults.push(`exception: ${error.message}`));
      page.on("request", (r) => new URL(r.url()).host !== new URL(url).host && page.faults.push(`request to ${r.url()}`));
      page.on("websocket", (s) => new URL(s.url()).host !== new URL(url).host && page.faults.push(`socket to ${s.url()}`));
      page.on("dialog", (dialog) => {
        page.faults.push(`dialog: ${dialog.message()}`);
        dialog.dismiss();
      });
      await page.setViewportSize({ width, height: width < 500 ? 844 : 960 });
      await page.emulateMedia({ colorScheme: scheme });
      await page.goto(url);
      return page;
    },
    async close() {
      await context.close();
      rmSync(profile, { recursive: true, force: true });
    },
  };
}
