// The route, laid out along one axis: metres along the truck's own way. The wire speaks of lanes and chainages.
"use strict";

const TOUCH_M = 0.001; // segments closer than this touch
const SAME_M = 0.01; // two routes that put a place this near to one another agree
const BEYOND_M = 1.0; // a position may overshoot a lane's end by its own error
const SEGMENTS_MAX = 4096;
const SPEED_MAX_MPS = 25.0;
const GRADE_MAX = 0.15;

class Refused extends Error {
  constructor(reason, problem) {
    super(`${reason}: ${problem}`);
    this.reason = reason;
  }
}

class Road {
  /** Throws Refused where the segments make no road. The first one begins at *startM*. */
  constructor(segments, startM) {
    if (segments.length === 0 || segments.length > SEGMENTS_MAX) throw new Refused("RouteUnsound", `${segments.length} segments`);
    this.segments = [];
    this.spans = new Map();
    let atM = startM;
    segments.forEach((said, at) => {
      const { lane_id: laneId, start_m: fromM, end_m: toM } = said.stretch ?? {};
      const numbers = [fromM, toM, said.speed_max_mps, said.grade];
      const sound = numbers.every(Number.isFinite) && fromM >= 0 && fromM < toM && said.speed_max_mps > 0;
      if (!sound || said.speed_max_mps > SPEED_MAX_MPS || Math.abs(said.grade) > GRADE_MAX) throw new Refused("RouteUnsound", `segment ${at}`);
      const before = segments[at - 1]?.stretch;
      const span = this.spans.get(laneId);
      const follows = before?.lane_id === laneId;
      if (span && !follows) throw new Refused("RouteUnsound", `lane ${laneId} comes twice`);
      if (before && Math.abs(fromM - (follows ? before.end_m : 0)) > TOUCH_M) throw new Refused("RouteUnsound", `segment ${at} does not touch`);
      if (span) span.toM = toM;
      else this.spans.set(laneId, { fromM, toM, startM: atM });
      this.segments.push({ startM: atM, endM: atM + toM - fromM, speedMaxMps: said.speed_max_mps, grade: said.grade, noStop: said.no_stop });
      atM += toM - fromM;
    });
    // The tail may reach a little behind the first segment.
    this.segments[0].startM = -Infinity;
  }

  get laneIds() {
    return [...this.spans.keys()];
  }

  /** The place on the axis of a lane's chainage; null where this road does not have it. */
  locate(point, beyondM = BEYOND_M) {
    const span = this.spans.get(point?.lane_id);
    if (!span || !(point.chainage_m >= span.fromM - beyondM && point.chainage_m <= span.toM + beyondM)) return null;
    return span.startM + point.chainage_m - span.fromM;
  }

  /** The lane and chainage of a place on the axis. */
  place(atM) {
    let found = null;
    for (const [laneId, span] of this.spans) {
      found = { lane_id: laneId, chainage_m: span.fromM + atM - span.startM };
      if (atM < span.startM + span.toM - span.fromM) break;
    }
    return found;
  }

  /** Lanes that meet [fromM, toM], in order. */
  lanesBetween(fromM, toM) {
    return [...this.spans].filter(([, span]) => span.startM + span.toM - span.fromM > fromM && span.startM <= toM).map(([laneId]) => laneId);
  }

  /** A new route, laid out so that it has all of [fromM, toM] where this one has it. Throws Refused where it has not. */
  succeededBy(segments, fromM, toM) {
    const draft = new Road(segments, 0);
    const anchorM = draft.locate(this.place(fromM), SAME_M);
    if (anchorM === null) throw new Refused("RouteDisagrees", "does not hold the tail");
    const road = new Road(segments, fromM - anchorM);
    for (const [laneId, span] of this.spans) {
      const spanEndM = span.startM + span.toM - span.fromM;
      if (spanEndM <= fromM || span.startM > toM) continue;
      for (const atM of [Math.max(span.startM, fromM), Math.min(spanEndM, toM)]) {
        const thereM = road.locate({ lane_id: laneId, chainage_m: span.fromM + atM - span.startM }, SAME_M);
        if (thereM === null || Math.abs(thereM - atM) > SAME_M) throw new Refused("RouteDisagrees", `has lane ${laneId} elsewhere`);
      }
    }
    return road;
  }
}

module.exports = { Road, Refused, SAME_M };
