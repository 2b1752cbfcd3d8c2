// What is known of alerts. Pure.

export const SEVERITIES = ["CRITICAL", "HIGH", "MEDIUM", "LOW"];
export const TYPES = [
  "HIGH_BOUNCE_RATE", "CONVERSION_FUNNEL_BREACH", "TRAFFIC_ANOMALY", "FRAUD_DETECTED", "PERFORMANCE_DEGRADATION", "CUSTOM_PATTERN",
];
const SHOWN = 50; // firing ones: in a storm the first say enough
const RECENT = 5; // resolved ones
const KEPT = 100; // resolved ones

// Alerts keeps the last word on each alert, whichever way it came: by REST or by the live channel.
export class Alerts {
  #byId = new Map();

  take(alerts) {
    for (const alert of alerts) {
      const before = this.#byId.get(alert.id);
      if (!before || before.seq <= alert.seq) this.#byId.set(alert.id, alert);
    }
    for (const { id } of this.#resolved().slice(KEPT)) this.#byId.delete(id);
  }

  // picture is what a list shows: what fires, the worst first, then what ended last.
  picture() {
    const firing = [...this.#byId.values()].filter((a) => a.state === "firing").sort(worse);
    return {
      firing: firing.length,
      worst: firing[0]?.severity ?? null,
      shown: [...firing.slice(0, SHOWN), ...this.#resolved().slice(0, RECENT)],
      more: Math.max(0, firing.length - SHOWN),
      all: [...this.#byId.values()],
    };
  }

  #resolved() {
    return [...this.#byId.values()].filter((a) => a.state !== "firing").sort((a, b) => b.ended_at_ms - a.ended_at_ms || b.seq - a.seq);
  }
}

const rank = (alert) => SEVERITIES.indexOf(alert.severity);
const worse = (a, b) => rank(a) - rank(b) || b.started_at_ms - a.started_at_ms || b.seq - a.seq;

// marks are the alerts on a metric that a chart can show on its line: one group's, or those of an ungrouped metric.
export function marks(alerts, { metric, group, left, right }) {
  const same = (a) => Object.entries(a.group).every(([key, value]) => group[key] === value) && Object.keys(a.group).length === Object.keys(group).length;
  return alerts
    .filter((a) => a.evidence.window?.metric === metric.name && a.value !== null && a.started_at_ms >= left && a.started_at_ms <= right && same(a))
    .map((a) => ({ at: a.started_at_ms, value: a.value, severity: a.severity }));
}
