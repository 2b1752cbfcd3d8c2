// What is known of records that can't be used, and of those that came too late. Pure.

const SAMPLES = 20;

// Tally counts dead letters by reason and keeps the newest of them.
export class Tally {
  after = 0; // sequence number of the last entry that was read
  read = 0;
  reasons = new Map(); // reason -> count
  samples = []; // newest first

  add(entries) {
    for (const { seq, at_ms, dead_letter } of entries) {
      this.after = seq;
      this.read++;
      this.reasons.set(dead_letter.reason, (this.reasons.get(dead_letter.reason) ?? 0) + 1);
      this.samples.unshift({ seq, at_ms, ...dead_letter });
    }
    this.samples.length = Math.min(this.samples.length, SAMPLES);
  }
}

// LateTally counts by definition what was refused because it came too late, and keeps the newest samples. A record that
// several definitions refused counts for each.
export class LateTally {
  after = 0;
  read = 0; // records, of one commit and partition counted once
  reasons = new Map(); // definition -> count
  samples = []; // newest first

  add(entries) {
    for (const { seq, at_ms, late } of entries) {
      this.after = seq;
      this.read += late.count;
      for (const [name, n] of Object.entries(late.by_definition)) this.reasons.set(name, (this.reasons.get(name) ?? 0) + n);
      const refused = Object.keys(late.by_definition).join(", ");
      for (const s of late.samples) this.samples.unshift({ ...s, at_ms, topic: late.topic, partition: late.partition, refused });
    }
    this.samples.length = Math.min(this.samples.length, SAMPLES);
  }
}

// preview shows bytes as far as people can read them: as text where they are text, else in hexadecimal.
export function preview(base64, limit = 160) {
  const bytes = Uint8Array.from(atob(base64 ?? ""), (c) => c.charCodeAt(0));
  if (bytes.length === 0) return { text: "empty", kind: "none" };
  try {
    const text = new TextDecoder("utf-8", { fatal: true }).decode(bytes.subarray(0, limit * 4));
    if (!/[\u0000-\u0008\u000e-\u001f\u007f]/.test(text)) {
      const told = withoutAddresses(text);
      return { text: told.length > limit ? told.slice(0, limit) + "…" : told, kind: "text" };
    }
  } catch {
    // Not UTF-8, or cut within a character: then bytes say more.
  }
  const runs = readable(bytes.subarray(0, limit * 4));
  if (runs.length >= 12) return { text: runs.length > limit ? runs.slice(0, limit) + "…" : runs, kind: "runs" };
  const shown = Array.from(bytes.subarray(0, 32), (b) => b.toString(16).padStart(2, "0")).join(" ");
  return { text: bytes.length > 32 ? shown + " …" : shown, kind: "bytes" };
}

// readable is what of bytes is text of four characters and more, as in binary Avro; a dot stands for what is not.
function readable(bytes) {
  const all = String.fromCharCode(...bytes);
  const runs = all.match(/[\x20-\x7e]{4,}/g) ?? [];
  return runs.map((run) => run.replace(addresses, "…")).join(" · ");
}

// addresses of visitors, IPv4 and IPv6. Without a schema nobody can tell which field one stands in.
const addresses = /\d{1,3}(?:\.\d{1,3}){3}|(?:[0-9a-f]{0,4}:){2,7}[0-9a-f]{0,4}/gi;

// fields are those of an event that could be decoded, in one line.
export function fields(decoded) {
  return Object.entries(decoded).map(([path, v]) => `${path.split(".").at(-1)} ${v}`).join(" · ");
}

// withoutAddresses takes out what the schema calls ipAddress: addresses of visitors are not for show.
const withoutAddresses = (text) => text.replace(/("ipAddress"\s*:\s*(?:\{\s*"string"\s*:\s*)?")[^"]*/g, "$1…");
