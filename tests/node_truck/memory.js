// What a truck must know after its computer was switched off and on: the highest term it ever accepted, and how far the server's
// journal had reached.
//
// A term is on the disk before anything follows from it: else a truck could obey, forget, and obey an older word later.
"use strict";

const fs = require("node:fs");
const path = require("node:path");

class Memory {
  constructor(file) {
    this.file = file;
    this.term = { epoch: 0n, sequence: 0n };
    this.journal = { sequence: "0", digest: "0" };
    if (fs.existsSync(file)) {
      // A file that cannot be read ends the program: what this truck may hold is then for a person to find out.
      const kept = JSON.parse(fs.readFileSync(file, "utf8"));
      this.term = { epoch: BigInt(kept.epoch), sequence: BigInt(kept.sequence) };
      this.journal = kept.journal;
    }
  }

  /** Keeps a term for good, if it is higher than what is known. Throws when the disk fails; the truck must then not go on. */
  remember(term) {
    if (!higher(term, this.term)) return;
    const draft = `${this.file}.draft`;
    const kept = { epoch: String(term.epoch), sequence: String(term.sequence), journal: this.journal };
    const handle = fs.openSync(draft, "w");
    fs.writeSync(handle, JSON.stringify(kept));
    fs.fsyncSync(handle);
    fs.closeSync(handle);
    fs.renameSync(draft, this.file);
    const folder = fs.openSync(path.dirname(path.resolve(this.file)), "r");
    fs.fsyncSync(folder);
    fs.closeSync(folder);
    this.term = term;
  }

  /** What a heartbeat says of the server's journal; it reaches the disk with the next term. */
  noteJournal(head) {
    if (head && head.sequence !== "0") this.journal = { sequence: head.sequence, digest: head.digest };
  }
}

/** Whether one (epoch, sequence) is higher than another. */
function higher(term, than) {
  return term.epoch > than.epoch || (term.epoch === than.epoch && term.sequence > than.sequence);
}

module.exports = { Memory, higher };
