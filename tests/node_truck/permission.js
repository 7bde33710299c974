// What the truck may do: the term it agreed to, its route, the end of its authority, and the order in which all of it came.
//
// A refused message changes nothing. Nothing but a shortening moves an end back, and a shortening only as far as the truck can honour.
"use strict";

const { higher } = require("./memory");
const { Road, Refused, SAME_M } = require("./road");

class Permission {
  constructor(memory) {
    this.memory = memory;
    this.epoch = 0n; // agreed to in the last welcome
    this.road = null;
    this.routeTerm = null;
    this.endM = -Infinity;
    this.friction = 0;
    this.advisedMps = 0;
    this.needsGrant = true; // true until an authority comes that is newer than whatever took the right to move away
    this.answered = null;
  }

  /** Takes a server's term. Throws Refused for one older than this truck ever obeyed. */
  agree(epoch) {
    if (epoch <= 0n || epoch < this.memory.term.epoch) throw new Refused("EpochFell", `${epoch} after ${this.memory.term.epoch}`);
    this.memory.remember({ epoch, sequence: 0n });
    this.epoch = epoch;
  }

  /** Takes a route; false for an old one. *noseM*, *tailM* on the present road; *nose* as lane and chainage. */
  takeRoute(route, nose, noseM, tailM) {
    const term = this.#newer(route.term);
    if (!term) return false;
    let road;
    if (this.road === null) {
      road = new Road(route.segments, 0);
      if (road.locate(nose) === null) throw new Refused("RouteUnsound", "does not hold the place where this truck stands");
    } else {
      road = this.road.succeededBy(route.segments, tailM, Math.max(this.endM, noseM));
    }
    this.memory.remember(term);
    this.road = road;
    this.routeTerm = term;
    return true;
  }

  /** Takes an authority; false for an old one. *earliestM*: the nearest end the truck can still stop before. */
  takeAuthority(authority, earliestM) {
    const term = this.#newer(authority.term);
    if (!term) return false;
    const endM = this.#onRoute(term, authority);
    if (endM < this.endM - SAME_M && endM < earliestM) throw new Refused("EndTooNear", `${endM} m, can stop before ${earliestM} m`);
    this.memory.remember(term);
    this.endM = endM;
    this.friction = Number.isFinite(authority.friction) ? Math.max(0, authority.friction) : 0;
    this.advisedMps = Number.isFinite(authority.advised_speed_mps) ? Math.max(0, authority.advised_speed_mps) : 0;
    this.needsGrant = false;
    return true;
  }

  /** Moves the end back as far as can be honoured; the acknowledgement to send, null for an old shortening. */
  takeShortening(shortening, earliestM) {
    // The same one twice gets the same answer twice: the first answer may have been lost.
    if (this.answered && sameTerm(this.answered.term, shortening.term)) return this.answered;
    const term = this.#newer(shortening.term);
    if (!term || this.road === null) return null;
    const askedM = this.#onRoute(term, shortening);
    const honoured = askedM >= earliestM || askedM >= this.endM;
    const endM = Math.min(this.endM, honoured ? askedM : earliestM);
    this.memory.remember(term);
    this.endM = endM;
    this.answered = { term: shortening.term, honoured, end: endM <= askedM ? shortening.end : this.road.place(endM) };
    return this.answered;
  }

  /** The term of a message, if it is of the epoch agreed and above everything accepted so far; null for an old one. */
  #newer(said) {
    const term = { epoch: BigInt(said?.epoch ?? 0), sequence: BigInt(said?.sequence ?? 0) };
    if (this.epoch <= 0n || term.epoch !== this.epoch) throw new Refused("EpochNotAgreed", `${term.epoch}, agreed is ${this.epoch}`);
    return higher(term, this.memory.term) ? term : null;
  }

  #onRoute(term, said) {
    if (this.road === null || BigInt(said.route_sequence) !== this.routeTerm.sequence || term.epoch !== this.routeTerm.epoch)
      throw new Refused("RouteNotHeld", `route ${said.route_sequence}`);
    const endM = this.road.locate(said.end, SAME_M);
    if (endM === null) throw new Refused("EndOffRoute", JSON.stringify(said.end));
    return endM;
  }
}

function sameTerm(one, other) {
  return one.epoch === other?.epoch && one.sequence === other?.sequence;
}

module.exports = { Permission };
