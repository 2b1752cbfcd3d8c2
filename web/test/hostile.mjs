// Text that must stay text.

export const script = "<script>globalThis.owned = 1</script>";

export const urls = [
  "<img src=x onerror=\"globalThis.owned = 1\">",
  "javascript:globalThis.owned = 1",
  "/" + "a-very-long-path/".repeat(40),
];

// definitions close windows seconds after the last event. The title is as hostile as the events.
export const definitions = `
version: 1
source: {idle_timeout: 1s, close_when_idle: 1s}
metrics:
  - name: top_pages
    type: TOP_PAGES
    title: "${script}"
    description: "${script}"
    window: {size: 5s}
    group_by: {url: pageViewData.url}
    aggregates: {views: {count: 'eventType == "PAGE_VIEW"'}}
    unit: views
    limit: 1000
  - name: geographic_distribution
    type: GEOGRAPHIC_DISTRIBUTION
    title: Geographic distribution
    window: {size: 5s}
    group_by: {country: sessionData.country}
    aggregates: {starts: {count: 'eventType == "SESSION_START"'}}
    unit: sessions
  - {name: huge, title: Huge, description: A large number., window: {size: 5s}, aggregates: {n: {count: 'true'}}, value: n * 123456789012345678, unit: ""}
  - {name: tiny, title: Tiny, description: A small number., window: {size: 5s}, aggregates: {n: {count: 'true'}}, value: n / 123456789012, unit: ""}
  - {name: below, title: Below, description: A negative number., window: {size: 5s}, aggregates: {n: {count: 'true'}}, value: 0 - n * 1000000, unit: points}
alerts:
  - name: hot_pages
    type: FRAUD_DETECTED
    severity: CRITICAL
    on: top_pages
    when: value > 0
    keep_firing_for: 1h
    title: "${script} {{ group.url }}"
    description: "${script} {{ group.url }}"
    recommended_action: "${script}"
  - name: brief
    severity: LOW
    on: geographic_distribution
    when: value > 0
    title: Over at once
`;

export function events(...more) {
  const pages = more.length > 0 ? more : urls;
  const at = Date.now();
  const common = (i) => ({ eventId: `e${i}`, timestamp: at, sessionId: `s${i % 5}`, metadata: { source: "web" } });
  const lines = [];
  for (let i = 0; i < Math.max(30, pages.length); i++) {
    lines.push({ ...common(i), eventType: "PAGE_VIEW", pageViewData: { url: pages[i % pages.length], title: script } });
    lines.push({
      ...common(1000 + i), eventType: "SESSION_START",
      sessionData: { userAgent: script, ipAddress: "203.0.113.9", country: script, deviceType: "DESKTOP" },
    });
    lines.push({ ...common(2000 + i), eventType: "CONVERSION", conversionData: { conversionType: "PURCHASE", value: 5, currency: script } });
  }
  return [...lines.map((line) => JSON.stringify(line)), `{"eventId": "${script}", "ipAddress": "203.0.113.9", "timestamp": }`];
}
