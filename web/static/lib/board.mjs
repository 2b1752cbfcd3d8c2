// A board is what one subscription of the channel "metrics" holds: absolute rows by key, at one sequence number. Pure.

export class Board {
  rows = new Map(); // by key
  seq = null; // null: no snapshot yet, or what we hold can't be continued
  watermark = null; // ms
  history = []; // series of the last snapshot

  // apply takes a frame and says what came of it: "applied", or "gap" when the frame does not continue what we hold, so
  // that only a new snapshot can help. After a gap or a reset the rows stay: they were true when they came.
  apply(frame) {
    switch (frame.op) {
      case "snapshot":
        this.rows = new Map(frame.rows.map((row) => [row.key, row]));
        this.history = frame.history ?? [];
        break;
      case "delta":
        if (this.seq === null || frame.from !== this.seq) {
          this.seq = null;
          return "gap";
        }
        for (const key of frame.removed ?? []) this.rows.delete(key);
        for (const row of frame.rows) this.rows.set(row.key, row);
        break;
      case "reset":
        this.seq = null;
        return "applied";
      default:
        throw new Error(`BUG: a board can't apply ${frame.op}`);
    }
    this.seq = frame.seq;
    this.watermark = frame.watermark_ms;
    return "applied";
  }

  // A board starts again with a snapshot, wherever it was.
  resume() {
    return {};
  }

  detach() {
    this.seq = null;
  }

  // finals are the closed rows of a metric in its newest closed window that has any.
  finals(metric) {
    const rows = [...this.rows.values()].filter((row) => row.metric === metric && row.kind !== "provisional");
    const newest = Math.max(...rows.map((row) => row.window_start_ms));
    return rows.filter((row) => row.window_start_ms === newest);
  }

  // open are the rows of a metric that the watermark has not closed, oldest first.
  open(metric) {
    return [...this.rows.values()]
      .filter((row) => row.metric === metric && row.kind === "provisional")
      .sort((a, b) => a.window_start_ms - b.window_start_ms);
  }
}
