// Pictures of every page in every look, and of the states that nobody sees on a good day.
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { looks } from "./browser.mjs";
import { inTrouble } from "./pages.mjs";
import { Server, until } from "./server.mjs";
import { withoutSockets } from "./states.mjs";

export async function screenshots(binary, browser, dir) {
  mkdirSync(dir, { recursive: true });
  await beforeTheFirstEvent(binary, browser, dir);
  const server = await Server.make(binary, "demo", ["--scenario", "slow-pages"]);
  try {
    await until("the demo has written its past", async () => {
      const p = await server.get("/pipeline");
      return p.watermark_ms > Date.now() - 10_000 && p.verdict === "Healthy" && (await server.get("/alerts")).alerts.length > 0;
    }, 120_000);
    await pages(server, browser, dir);
    await states(server, browser, dir);
  } finally {
    await server.remove();
  }
}

async function pages(server, browser, dir) {
  const [alert] = (await server.get("/alerts?limit=1")).alerts;
  const places = {
    live: ["#live", "figure[data-points] canvas"],
    filtered: ["#live?metric=geographic_distribution&group.country=Japan", 'figure[data-metric="geographic_distribution"] canvas'],
    history: ["#history?period=1h", "main[data-key=current] figure canvas"],
    groups: ["#history?metric=device_breakdown&period=1h", "main[data-key=current] .groups li"],
    alerts: ["#alerts", "main[data-key=current] .alert-list"],
    alert: [`#alerts?id=${alert.id}`, "main[data-key=current] figure canvas"],
    pipeline: ["#pipeline", "table.partitions tbody tr:nth-child(12)"],
  };
  for (const look of looks) {
    for (const [name, [hash, ready]] of Object.entries(places)) {
      const page = await browser.open(`${server.url}/${hash}`, look);
      await page.waitForSelector(ready);
      await page.waitForFunction(() => document.querySelector(".freshness strong")?.textContent === "Live");
      if (name === "live") await full(page);
      await page.screenshot({ path: join(dir, `${name}-${look.name}.png`) });
      await page.close();
    }
  }
}

// full waits until every tile has its line and the alerts are there.
const full = (page) => page.waitForFunction(() => [...document.querySelectorAll(".tile .spark-line")].every((e) => e.getAttribute("d") !== "") && document.querySelector(".alerts .alert"));

async function beforeTheFirstEvent(binary, browser, dir) {
  const server = await Server.make(binary, "serve");
  try {
    await picture(browser, dir, "empty", server.url, { ready: ".nothing" });
  } finally {
    await server.remove();
  }
}

async function states(server, browser, dir) {
  const live = `${server.url}/#live`;
  const pipeline = await server.get("/pipeline");
  const answer = (body) => (page) => page.route("**/api/v1/pipeline", (route) => route.fulfill({ contentType: "application/json", body: JSON.stringify(body()) }));
  let left = 2_100_000;
  const behind = () => {
    left -= 90_000;
    return { ...pipeline, state: "catching_up", verdict: `Catching up: ${(left / 1e6).toFixed(1)} M records`, partitions: pipeline.partitions.map((p) => ({ ...p, lag: left / 12 })) };
  };
  await picture(browser, dir, "catching-up", live, { before: answer(behind), ready: ".freshness.busy" });
  await picture(browser, dir, "troubled", `${server.url}/#pipeline`, { before: answer(() => inTrouble(structuredClone(pipeline))), ready: "table.partitions tbody tr:nth-child(200)" });
  await picture(browser, dir, "no-match", `${server.url}/#live?metric=geographic_distribution&group.country=Atlantis`, { ready: ".chip" });
  await picture(browser, dir, "no-live", live, { before: withoutSockets, ready: ".nothing" });
  await picture(browser, dir, "storm", live, { before: (page) => storm(page, server), ready: ".alert:nth-child(40)" });
  for (const look of twoLooks) {
    const page = await browser.open(live, look);
    await full(page);
    await server.stop();
    await page.waitForFunction(() => document.querySelector(".freshness strong").textContent === "Disconnected");
    await page.screenshot({ path: join(dir, `disconnected-${look.name}.png`) });
    await page.close();
    await server.start();
  }
}

const twoLooks = looks.filter((look) => ["light-1440", "dark-390"].includes(look.name));

async function picture(browser, dir, name, url, { before, ready }) {
  for (const look of twoLooks) {
    const page = await browser.open(url, { ...look, before });
    await page.waitForSelector(ready);
    if (name !== "empty" && name !== "no-live") await page.waitForSelector(".status strong");
    if (url.endsWith("#live") && name !== "no-live") await full(page);
    await page.screenshot({ path: join(dir, `${name}-${look.name}.png`) });
    await page.close();
  }
}

// storm has the one alert that there was fire a hundred times.
async function storm(page, server) {
  const [one] = (await server.get("/alerts?limit=1")).alerts;
  const severities = ["CRITICAL", "HIGH", "MEDIUM", "LOW"];
  const alerts = Array.from({ length: 100 }, (_, i) => ({ ...one, id: `${one.id}${i}`, state: "firing", ended_at_ms: null, severity: severities[Math.min(3, i >> 4)], started_at_ms: one.started_at_ms + i * 7000 }));
  await page.route("**/api/v1/alerts?*", (route) => route.fulfill({ contentType: "application/json", body: JSON.stringify({ alerts: route.request().url().includes("firing") ? alerts : [], next: null }) }));
}
