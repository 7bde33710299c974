// One step of arithmetic that keeps the truck inside its authority.
//
// Two curves fall towards the end. On the lower one the truck drives: it reserves a reaction time and brakes gently. On the upper one
// nothing but the brakes' guaranteed worst is left; there they go on, and off again only at a standstill. SI units; decelerations are
// positive, demands are accelerations; metres along the truck's own way.
"use strict";

const { NO_ACCELERATION, SERVICE_STOP, EMERGENCY_STOP } = require("./contact");

const HOLD = 1; // the numbers of CabMode
const DRIVE = 2;
const SERVICE_BRAKE = 3;
const EMERGENCY_BRAKE = 4;
const GRAVITY_MPS2 = 9.81;
const FRICTION_USE = 0.7; // share of friction that braking may count on
const FRICTION_UNKNOWN = 0.25; // snow
const SERVICE_SHARE = 0.75; // of what is safe: what normal driving may ask for
const A_SAFE_MIN_MPS2 = 0.2; // with less than this a truck does not move
const REACTION_S = 1.0;
const STEP_S = 0.1;
const STOP_MARK_M = 2.0; // a truck comes to rest this far before its end
const STANDING_MPS = 0.05;
const START_MPS = 0.3; // a shorter move is not worth releasing the brakes
const RESPONSE_S = 0.8;
const CREEP_MPS = 0.2;
const CREEP_BRAKE_MPS2 = 0.3;
const WARNING_S = 0.4; // before the upper curve, service braking as hard as it may

/** The fastest speed from which a truck comes to *thenMps* within *distanceM*, a reaction time included. */
function serviceSpeed(distanceM, thenMps, brakeMps2) {
  if (distanceM <= 0) return thenMps;
  const lagMps = brakeMps2 * REACTION_S;
  return Math.max(thenMps, Math.sqrt(lagMps * lagMps + 2 * brakeMps2 * distanceM + thenMps * thenMps) - lagMps);
}

/** Where an emergency stop that begins one step from now would end at worst, and the deceleration it may count on. */
function reach(kind, sensed, endM, friction, road, pulling) {
  const frontM = sensed.noseM + sensed.boundM;
  const tailM = sensed.noseM - sensed.boundM - kind.length_m;
  const speedMps = Math.max(0, sensed.speedMps) + Math.max(0, sensed.accelerationMps2) * STEP_S;
  let grade = 0; // climbs earn no credit
  for (const piece of road?.segments ?? []) if (piece.endM > tailM && piece.startM <= Math.max(endM, frontM)) grade = Math.min(grade, piece.grade);
  const gripMps2 = FRICTION_USE * (friction > 0 ? friction : FRICTION_UNKNOWN) * GRAVITY_MPS2;
  const safeMps2 = Math.min(kind.brake_guaranteed_mps2, gripMps2) + GRAVITY_MPS2 * grade;
  if (safeMps2 <= A_SAFE_MIN_MPS2) return { reachM: Infinity, safeMps2 };
  const [deadS, buildUpS] = [kind.brake_dead_s, kind.brake_build_up_s];
  const tractionMps2 = pulling ? (sensed.laden ? kind.acceleration_laden_mps2 : kind.acceleration_empty_mps2) : 0;
  const pushedMps = speedMps + GRAVITY_MPS2 * -grade * (deadS + buildUpS) + tractionMps2 * kind.traction_cutoff_s;
  const distanceM =
    pushedMps >= 0.5 * safeMps2 * buildUpS
      ? pushedMps * (deadS + 0.5 * buildUpS) + (pushedMps * pushedMps) / (2 * safeMps2) - (safeMps2 * buildUpS * buildUpS) / 24
      : pushedMps * deadS + (2 / 3) * pushedMps * Math.sqrt((2 * pushedMps * buildUpS) / safeMps2);
  return { reachM: frontM + speedMps * STEP_S + distanceM, safeMps2 };
}

/** The nearest end of authority that the truck could still honour. */
function earliestEnd(kind, sensed, held) {
  if (sensed.speedMps <= STANDING_MPS) return sensed.noseM + sensed.boundM;
  return reach(kind, sensed, held.endM, held.friction, held.road, true).reachM + WARNING_S * sensed.speedMps;
}

/** The first place at or past *stopM* where a nose may rest with no part of the body where nobody may stop. */
function clearStop(road, stopM, behindM, aheadM) {
  let restM = stopM;
  for (const piece of road?.segments ?? []) {
    if (piece.startM >= restM + aheadM) break;
    if (piece.noStop && piece.endM > restM - behindM) restM = piece.endM + behindM;
  }
  return restM;
}

class Brakes {
  constructor(kind) {
    this.kind = kind;
    this.mode = HOLD;
    this.demandMps2 = 0;
    this.haltM = null; // where a service stop ends: chosen once, then kept
    this.clearing = false; // it leads out of a no-stop stretch first
  }

  /**
   * What the actuators do until the next step.
   *
   * *sensed*: noseM, boundM, speedMps, accelerationMps2, laden, sound. *held*: endM, friction, advisedMps, clearingMps, road, and the
   * hardest reaction anybody demands.
   */
  step(sensed, held) {
    const kind = this.kind;
    const pulling = this.demandMps2 > 0 || sensed.accelerationMps2 > 0;
    const { reachM, safeMps2 } = reach(kind, sensed, held.endM, held.friction, held.road, pulling);
    const moving = sensed.speedMps > STANDING_MPS;
    const latched = this.mode === EMERGENCY_BRAKE && moving;
    if (!sensed.sound || (moving && (latched || held.reaction >= EMERGENCY_STOP || reachM >= held.endM))) return this.#do(EMERGENCY_BRAKE, -kind.brake_guaranteed_mps2);
    if (safeMps2 <= A_SAFE_MIN_MPS2) return this.#do(HOLD, 0);

    const brakeMps2 = Math.min(kind.brake_service_mps2, SERVICE_SHARE * safeMps2);
    const { targetMps, slopeMps2 } = this.#target(sensed, held, brakeMps2);
    if (!moving && targetMps < START_MPS) return this.#do(HOLD, 0);
    let demand = (targetMps - sensed.speedMps) / RESPONSE_S;
    if (sensed.speedMps > targetMps - CREEP_MPS) demand -= slopeMps2;
    if (targetMps < CREEP_MPS) demand = Math.min(demand, -CREEP_BRAKE_MPS2);
    // Traction comes in no faster than cargo and couplings like; brakes are released quicker, and set at once.
    const before = moving ? this.demandMps2 : Math.max(0, this.demandMps2);
    const risen = before + (before >= 0 ? 1 : 3) * kind.jerk_mps3 * STEP_S;
    demand = Math.min(demand, risen, sensed.laden ? kind.acceleration_laden_mps2 : kind.acceleration_empty_mps2);
    if (reachM + WARNING_S * sensed.speedMps >= held.endM) return this.#do(SERVICE_BRAKE, -brakeMps2);
    return this.#do(demand >= 0 ? DRIVE : SERVICE_BRAKE, Math.max(demand, -brakeMps2));
  }

  /** The speed to aim at, and how fast it falls as the truck moves on. */
  #target(sensed, held, brakeMps2) {
    const kind = this.kind;
    const frontM = sensed.noseM + sensed.boundM;
    const tailM = sensed.noseM - sensed.boundM - kind.length_m;
    let levelMps = kind.speed_max_mps;
    let [curveMps, thenMps] = [serviceSpeed(held.endM - frontM - STOP_MARK_M, 0, brakeMps2), 0];
    for (const piece of held.road?.segments ?? []) {
      // A limit holds from the nose's entry until the tail has left, and is met before the nose is there.
      if (piece.endM > tailM && piece.startM <= frontM) levelMps = Math.min(levelMps, piece.speedMaxMps);
      if (piece.startM <= frontM || piece.startM >= held.endM) continue;
      const speedMps = serviceSpeed(piece.startM - frontM, piece.speedMaxMps, brakeMps2);
      if (speedMps < curveMps) [curveMps, thenMps] = [speedMps, piece.speedMaxMps];
    }
    if (held.advisedMps > 0) levelMps = Math.min(levelMps, held.advisedMps);
    if (held.reaction === NO_ACCELERATION) levelMps = Math.min(levelMps, Math.max(0, sensed.speedMps));
    if (held.reaction >= SERVICE_STOP) {
      this.#chooseHalt(sensed, held.road, brakeMps2);
      const haltMps = serviceSpeed(this.haltM - sensed.noseM, 0, brakeMps2);
      if (haltMps < curveMps) [curveMps, thenMps] = [haltMps, 0];
      if (this.clearing) levelMps = Math.min(levelMps, held.clearingMps);
    } else {
      this.haltM = null;
      this.clearing = false;
    }
    const falls = curveMps <= levelMps;
    const slopeMps2 = falls ? Math.min(curveMps / (REACTION_S + curveMps / brakeMps2), Math.max(0, sensed.speedMps - thenMps) / REACTION_S) : 0;
    return { targetMps: Math.min(levelMps, curveMps), slopeMps2 };
  }

  #chooseHalt(sensed, road, brakeMps2) {
    // An order to stop never sets a standing truck in motion.
    if (sensed.speedMps <= STANDING_MPS && !this.clearing) this.haltM = sensed.noseM;
    if (this.haltM !== null) return;
    const stopM = sensed.noseM + sensed.speedMps * REACTION_S + (sensed.speedMps * sensed.speedMps) / (2 * brakeMps2);
    const behindM = this.kind.length_m + sensed.boundM;
    this.haltM = clearStop(road, stopM, behindM, sensed.boundM);
    this.clearing = this.haltM > stopM;
    // It rests where the server's idea of its rear has left the stretch too.
    if (this.clearing) this.haltM = clearStop(road, this.haltM + this.kind.roll_back_m + 0.5, behindM, sensed.boundM);
  }

  #do(mode, demandMps2) {
    if (mode === EMERGENCY_BRAKE) {
      // Where this stop ends is where the truck stays: it never clears a no-stop stretch after an emergency.
      this.haltM = null;
      this.clearing = false;
    }
    this.mode = mode;
    this.demandMps2 = demandMps2;
    return { mode, demandMps2 };
  }
}

module.exports = { Brakes, earliestEnd, HOLD, EMERGENCY_BRAKE, STANDING_MPS };
