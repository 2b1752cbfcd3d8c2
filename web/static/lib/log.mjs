// A log is what one subscription of a log channel holds: how far it has come, and the entries that nobody has taken yet.
// It goes on where it was, over reconnects and restarts of the server. Pure.

export class Log {
  seq = null; // everything up to it was received, or told as lost; null before the first answer
  #epoch = null; // that seq is of
  #entries = [];

  // resume is what the next subscription has to ask for.
  resume() {
    return this.seq === null ? {} : { after: this.seq, epoch: this.#epoch };
  }

  detach() {} // the place stays

  apply(frame, epoch) {
    switch (frame.op) {
      case "ack": // of a log that goes on it says nothing new
        if (this.seq !== null) return "applied";
        break;
      case "entry":
        this.#entries.push(frame.alert);
        break;
      case "reset":
        this.#entries = [];
        break;
      default:
        throw new Error(`BUG: a log can't apply ${frame.op}`);
    }
    this.seq = frame.seq;
    this.#epoch = epoch;
    return "applied";
  }

  take() {
    const taken = this.#entries;
    this.#entries = [];
    return taken;
  }
}
