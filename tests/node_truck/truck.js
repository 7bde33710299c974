// One truck: what it hears and senses goes in, what its actuators must do and what it says come out. No socket and no clock in here.
"use strict";

const { Brakes, earliestEnd, HOLD, EMERGENCY_BRAKE, STANDING_MPS } = require("./brakes");
const { Contact, ladderOf, SERVICE_STOP } = require("./contact");
const { Permission } = require("./permission");
const { Refused } = require("./road");

const WIRE_VERSION = 2; // the newest this truck speaks
const SENSES_AGE_MAX_NS = 500_000_000n;
const REPORT_PERIOD_NS = 200_000_000n;
const CLEARING_MPS = 10 / 3.6;
const BOUND_STOP_M = 5; // a truck this unsure of its place stops
const GOAL_M = 3; // so near to its goal a truck is there
const GOAL_PASSED_M = 5; // an authority so far beyond it means that the truck is free to leave
const EVENT = { EMERGENCY_BRAKED: 1, CONTACT_LOST: 2, CONTACT_REGAINED: 3, MESSAGE_REFUSED: 5 };

class Truck {
  /** *identity*: truck_id, instance_id, boot_id, truck_type_id, software. *tell*(fact, details) is for whoever watches. */
  constructor(identity, kind, memory, tell) {
    this.identity = identity;
    this.kind = kind;
    this.tell = tell;
    this.permission = new Permission(memory);
    this.memory = memory;
    this.contact = new Contact();
    this.brakes = new Brakes(kind);
    this.reportPeriodNs = REPORT_PERIOD_NS;
    this.stops = new Map();
    this.mission = null;
    this.parked = false;
    this.clearingMps = CLEARING_MPS;
    this.reading = null;
    this.sensedNs = 0n;
    this.noseM = 0;
    this.onRoad = true;
    this.stampNs = 0n;
    this.said = []; // messages that wait to be sent; they must not replace each other
    this.refusedNs = new Map();
  }

  // What it hears.

  /** Takes one ControlMessage. */
  hear(message, nowNs) {
    try {
      this.#take(message, nowNs);
    } catch (refused) {
      if (!(refused instanceof Refused)) throw refused;
      this.#note(nowNs, EVENT.MESSAGE_REFUSED, `${message.content}: ${refused.message}`, refused.reason);
    }
  }

  #take(message, nowNs) {
    const said = message[message.content];
    switch (message.content) {
      case "heartbeat":
        if (BigInt(said.epoch) !== this.permission.epoch) return;
        this.contact.hear(said, nowNs);
        this.memory.noteJournal(said.journal);
        return;
      case "route":
        if (!this.reading) return;
        if (!this.permission.takeRoute(said, this.reading, this.noseM, this.noseM - this.kind.length_m)) return;
        this.#locate();
        this.tell("route_taken", { sequence: said.term.sequence, lanes: this.permission.road.laneIds });
        return;
      case "authority":
        if (this.permission.takeAuthority(said, this.#earliestM())) this.tell("authority_taken", { term: said.term, end: said.end });
        return;
      case "shortening": {
        const answer = this.permission.takeShortening(said, this.#earliestM());
        if (answer) this.said.push({ acknowledgement: answer });
        if (answer) this.tell("shortening_answered", answer);
        return;
      }
      case "stop":
        // An order without a reaction still means stop.
        this.stops.set(said.stop_id, Math.max(said.reaction || SERVICE_STOP, this.stops.get(said.stop_id) ?? 0));
        this.tell("stop_ordered", { stop_id: said.stop_id, cause: said.cause });
        return;
      case "resume":
        if (this.stops.delete(said.stop_id)) this.permission.needsGrant = true;
        this.tell("stop_lifted", { stop_id: said.stop_id });
        return;
      case "mission":
        this.mission = said;
        this.tell("mission_heard", { mission_id: said.mission_id, state: said.state, goal_id: said.goal_id });
        return;
      case "welcome":
        this.#welcomed(said, nowNs);
        return;
      case "refusal":
        this.tell("refused_by_server", said);
        return;
      case "report_refused":
        this.tell("report_refused", { reason: said.reason, detail: said.detail });
        return;
      case "site_proposed":
        // This truck takes its road from routes alone: it can serve under any site.
        this.said.push({ site_acknowledged: { digest: said.digest } });
        return;
      case "site_withdrawn":
        this.said.push({ site_acknowledged: { digest: "" } });
        return;
      default:
        throw new Refused("InvalidField", "a message without content, or of a later version");
    }
  }

  #welcomed(welcome, nowNs) {
    if (!this.contact.isAnsweredBy(welcome, nowNs)) return;
    const version = welcome.wire_version || 1;
    if (version > WIRE_VERSION) throw new Refused("WireVersionUnsupported", String(version));
    const ladder = ladderOf(welcome.ladder);
    this.permission.agree(BigInt(welcome.epoch));
    // Whoever was without contact needs a new grant, whatever it still holds.
    if (this.contact.lapsed) this.permission.needsGrant = true;
    if (this.contact.lapsed && this.contact.silenceS(nowNs) > 0) this.#note(nowNs, EVENT.CONTACT_REGAINED, `epoch ${welcome.epoch}`);
    this.contact.welcomed(ladder, nowNs);
    const periodNs = BigInt(welcome.report_period?.seconds ?? 0) * 1_000_000_000n + BigInt(welcome.report_period?.nanos ?? 0);
    if (periodNs > 0n) this.reportPeriodNs = clamp(periodNs, 100_000_000n, 1_000_000_000n);
    const clearingMps = welcome.clearing_speed_max_mps;
    if (clearingMps > 0 && clearingMps <= CLEARING_MPS) this.clearingMps = clearingMps;
    this.tell("welcomed", { epoch: welcome.epoch, software: welcome.software, wire_version: version });
  }

  /** The stream ended. Nothing stops yet: the ladder runs on silence. A welcome still under way answers nobody. */
  linkLost() {
    this.contact.helloNs = 0n;
  }

  // What it senses and does.

  /** Takes one reading. */
  sense(reading, nowNs) {
    const numbers = [reading.chainage_m, reading.bound_m, reading.speed_mps, reading.acceleration_mps2];
    if (!numbers.every(Number.isFinite)) return; // garbage is no reading: the last good one grows old, and the truck stops
    this.reading = reading;
    this.sensedNs = nowNs;
    this.#locate();
  }

  #locate() {
    const noseM = this.permission.road?.locate(this.reading) ?? null;
    this.onRoad = this.permission.road === null || noseM !== null;
    if (noseM !== null) this.noseM = noseM;
  }

  /** The pedals until the next step; call it ten times a second. */
  step(nowNs) {
    const wasLapsed = this.contact.lapsed;
    let reaction = Math.max(this.contact.reaction(nowNs), ...this.stops.values(), 0);
    if (this.contact.lapsed && !wasLapsed) this.#note(nowNs, EVENT.CONTACT_LOST, `${this.contact.silenceS(nowNs).toFixed(1)} s of silence`);
    if (!this.reading) return { mode: EMERGENCY_BRAKE };
    const doubtful = this.reading.bound_m > BOUND_STOP_M;
    if (this.permission.needsGrant || this.parked || doubtful) reaction = Math.max(reaction, SERVICE_STOP);
    const before = this.brakes.mode;
    const { mode, demandMps2 } = this.brakes.step(this.#sensed(nowNs), { ...this.#held(), reaction });
    if (mode === EMERGENCY_BRAKE && before !== EMERGENCY_BRAKE) this.#note(nowNs, EVENT.EMERGENCY_BRAKED, `at ${this.reading.speed_mps.toFixed(2)} m/s`);
    this.#park(mode);
    return { mode, acceleration_mps2: demandMps2, park: this.parked, lane_ids: this.permission.road?.laneIds ?? [] };
  }

  #sensed(nowNs) {
    const { speed_mps: speedMps, acceleration_mps2: accelerationMps2, bound_m: boundM, laden } = this.reading;
    const sound = nowNs - this.sensedNs <= SENSES_AGE_MAX_NS && this.onRoad;
    return { noseM: this.noseM, speedMps, accelerationMps2, boundM, laden, sound };
  }

  #held() {
    const { endM, friction, advisedMps, road } = this.permission;
    return { endM, friction, advisedMps, road, clearingMps: this.clearingMps };
  }

  #earliestM() {
    return this.reading && this.permission.road ? earliestEnd(this.kind, this.#sensed(this.sensedNs), this.#held()) : this.noseM;
  }

  /** The parking brake is set at the goal of a mission that asks for it, until the truck is free to leave. */
  #park(mode) {
    const { mission, permission } = this;
    const goalM = mission?.immobilise && mission.goal && permission.road ? permission.road.locate(mission.goal) : null;
    const there = goalM !== null && Math.abs(this.noseM - goalM) <= GOAL_M;
    const free = there && permission.endM > goalM + GOAL_PASSED_M;
    const standing = (mode === HOLD || mode === EMERGENCY_BRAKE) && Math.abs(this.reading.speed_mps) <= STANDING_MPS;
    const parked = there && !free && (standing || this.parked);
    if (parked !== this.parked) this.tell(parked ? "parked" : "unparked", { goal_id: mission.goal_id });
    this.parked = parked;
  }

  // What it says.

  /** The first message of every stream. */
  hello(nowNs) {
    const { road, endM } = this.permission;
    const report = this.report(nowNs);
    this.contact.helloNs = BigInt(report.stamp_ns);
    return {
      hello: {
        ...this.identity,
        map_digest: "", // takes its road from routes alone
        wire_version: WIRE_VERSION,
        seen: termMessage(this.memory.term),
        end_held: road && endM !== -Infinity ? road.place(endM) : null,
        body_lane_ids: road?.lanesBetween(this.noseM - this.kind.length_m, this.noseM) ?? this.reading.body_lane_ids,
        report,
        journal_seen: this.memory.journal,
      },
    };
  }

  /** Where it is and what it may act on, with a challenge for the next heartbeat. */
  report(nowNs) {
    const { reading } = this;
    this.stampNs = this.sensedNs > this.stampNs ? this.sensedNs : this.stampNs + 1n;
    return {
      stamp_ns: String(this.stampNs),
      lane_id: reading.lane_id,
      chainage_m: reading.chainage_m,
      speed_mps: reading.speed_mps,
      acceleration_mps2: reading.acceleration_mps2,
      bound_m: reading.bound_m,
      laden: reading.laden,
      intact: true,
      immobilised: reading.parked,
      emergency_braking: this.brakes.mode === EMERGENCY_BRAKE,
      accepted: termMessage(this.memory.term),
      challenge: String(this.contact.ask(nowNs)),
      challenge_echo: this.contact.echo,
      battery_wh: reading.battery_wh,
    };
  }

  /** What waits to be sent beside reports. */
  drain() {
    return this.said.splice(0);
  }

  #note(nowNs, kind, detail, reason = "") {
    // A peer that repeats itself ten times a second is told once a second.
    if (kind === EVENT.MESSAGE_REFUSED) {
      if (nowNs - (this.refusedNs.get(reason) ?? -1_000_000_000n) < 1_000_000_000n) return;
      this.refusedNs.set(reason, nowNs);
    }
    this.said.push({ event: { stamp_ns: String(nowNs), kind, detail: detail.slice(0, 240) } });
    this.tell("noted", { kind, detail });
  }
}

function termMessage(term) {
  return { epoch: String(term.epoch), sequence: String(term.sequence) };
}

function clamp(value, low, high) {
  return value < low ? low : value > high ? high : value;
}

module.exports = { Truck };
