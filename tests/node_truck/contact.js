// Whether the server is there, and what its silence makes the truck do.
//
// A heartbeat counts only if it is of the epoch agreed, its tick rises, and it carries back a challenge younger than a second: buffered
// ones prove nothing. Challenges are readings of the truck's own clock in nanoseconds.
"use strict";

const { Refused } = require("./road");

const NO_ACCELERATION = 1;
const SERVICE_STOP = 2;
const EMERGENCY_STOP = 3;
const CHALLENGE_AGE_MAX_NS = 1_000_000_000n;
const WELCOME_AGE_MAX_NS = 3_000_000_000n;
const SILENCE_LONGEST_S = 10;
const USUAL = { easeS: 1, stopS: 2, emergencyS: Infinity };

class Contact {
  constructor() {
    this.lapsed = true; // from the start, and again once the ladder has stopped the truck; only a welcome ends it
    this.echo = "0"; // the newest heartbeat's challenge, for the next report
    this.ladder = USUAL;
    this.askedNs = 0n;
    this.provenNs = null;
    this.tick = -1n;
    this.helloNs = 0n;
  }

  /** The challenge of a report said now; it rises. */
  ask(nowNs) {
    this.askedNs = nowNs > this.askedNs ? nowNs : this.askedNs + 1n;
    return this.askedNs;
  }

  helloDue(nowNs) {
    return this.lapsed && (this.helloNs === 0n || nowNs - this.helloNs > WELCOME_AGE_MAX_NS);
  }

  /** Whether a welcome answers the newest hello, and in time: one that was overtaken by events counts for nothing. */
  isAnsweredBy(welcome, nowNs) {
    const stamp = BigInt(welcome.hello_stamp_ns);
    return stamp > 0n && stamp === this.helloNs && nowNs - stamp <= WELCOME_AGE_MAX_NS;
  }

  welcomed(ladder, nowNs) {
    this.ladder = ladder;
    this.lapsed = false;
    this.echo = "0";
    this.provenNs = nowNs;
    this.tick = -1n;
  }

  hear(heartbeat, nowNs) {
    const [tick, echo] = [BigInt(heartbeat.tick), BigInt(heartbeat.challenge_echo)];
    if (tick > this.tick) this.echo = heartbeat.challenge;
    if (tick > this.tick && echo > 0n && echo <= this.askedNs && nowNs - echo <= CHALLENGE_AGE_MAX_NS) this.provenNs = nowNs;
    if (tick > this.tick) this.tick = tick;
  }

  silenceS(nowNs) {
    return this.provenNs === null ? 0 : Number(nowNs - this.provenNs) / 1e9;
  }

  /** What the ladder makes the truck do now; the rung that stops it makes contact lapse. */
  reaction(nowNs) {
    const silenceS = this.silenceS(nowNs);
    const { easeS, stopS, emergencyS } = this.ladder;
    const rung = silenceS >= emergencyS ? EMERGENCY_STOP : silenceS >= stopS ? SERVICE_STOP : silenceS >= easeS ? NO_ACCELERATION : 0;
    if (rung >= SERVICE_STOP && !this.lapsed) {
      this.lapsed = true;
      this.helloNs = 0n;
    }
    return this.lapsed ? Math.max(rung, SERVICE_STOP) : rung;
  }
}

/** The ladder of a welcome. Throws Refused for one that gets no harder, or never stops the truck in time. */
function ladderOf(rungs) {
  if (rungs.length === 0) return USUAL;
  const given = new Map(rungs.map((rung) => [rung.reaction, Number(rung.silence?.seconds ?? 0) + (rung.silence?.nanos ?? 0) / 1e9]));
  const emergencyS = given.get(EMERGENCY_STOP) ?? Infinity;
  const stopS = given.get(SERVICE_STOP) ?? emergencyS;
  const easeS = given.get(NO_ACCELERATION) ?? stopS;
  if (!(easeS > 0 && easeS <= stopS && stopS <= emergencyS && stopS <= SILENCE_LONGEST_S)) throw new Refused("LadderUnsound", `${easeS}, ${stopS}, ${emergencyS} s`);
  return { easeS, stopS, emergencyS };
}

module.exports = { Contact, ladderOf, NO_ACCELERATION, SERVICE_STOP, EMERGENCY_STOP };
