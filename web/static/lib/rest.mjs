// REST requests. An answer that is no success becomes an Unanswered, with the server's own words where it sent some.

export class Unanswered extends Error {
  constructor(message, status) {
    super(message);
    this.status = status; // 0: no answer at all
  }
}

// clockAhead is by how much the server's clock is ahead of ours, in ms, as of the last answer. The header counts whole
// seconds, so that a difference below two is none.
export let clockAhead = 0;

export async function get(path) {
  const response = await ask(path, "application/json");
  const body = await response.json().catch(() => null);
  if (!response.ok) throw new Unanswered(body?.detail || body?.title || response.statusText, response.status);
  if (body === null) throw new Unanswered("the answer is no JSON", response.status);
  return body;
}

// getText asks for something in another form than JSON.
export async function getText(path, type) {
  const response = await ask(path, type);
  if (!response.ok) throw new Unanswered(response.statusText, response.status);
  return response.text();
}

async function ask(path, accept) {
  let response;
  try {
    response = await fetch("/api/v1" + path, { headers: { accept }, signal: AbortSignal.timeout(15_000) });
  } catch (error) {
    throw new Unanswered(error.message, 0);
  }
  const date = Date.parse(response.headers.get("date"));
  if (!Number.isNaN(date)) {
    const ahead = date + 500 - Date.now();
    clockAhead = Math.abs(ahead) > 2000 ? ahead : 0;
  }
  return response;
}

// history asks for the points of a metric that start in [from, to). group picks one group.
export function history(metric, { from, to, group = {}, limit }) {
  const query = new URLSearchParams({ from: String(from), to: String(to) });
  for (const [key, value] of Object.entries(group)) query.set(`group.${key}`, value);
  if (limit) query.set("limit", String(limit));
  return get(`/metrics/${encodeURIComponent(metric)}/history?${query}`);
}
