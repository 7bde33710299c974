"""
Reports of many trucks as the bytes of a `ReportFrame`, written by a compiled kernel.

A frame is fourteen packed columns, and a fifteenth where brakes are weak. The library would copy each number through Python three times; here the columns go
straight into the wire's form: a tag, a length, and then either eight bytes a number or a varint.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from fleet.onboard.senses import HEALTH_SAID_MIN, Grip, said_friction
from planner._jit import adopt, kernel, piece
from sim_harness.dynamics import EMERGENCY_BRAKE, Demand, Motion
from sim_harness.observation import FlagArray, FloatArray, IndexArray
from sim_harness.onboard_state import Belief, Onboard

ByteArray = npt.NDArray[np.uint8]
IntMatrix = npt.NDArray[np.int64]

adopt(said_friction)

# Rows of the two matrices, and the fields of the message that they become.
INT_FIELDS: Final = np.array([1, 2, 3, 8, 9, 10, 11, 12], dtype=np.int64)
FLOAT_FIELDS: Final = np.array([4, 5, 6, 7, 13, 14, 16], dtype=np.int64)
# The last one, brake health, is left out while all brakes are sound.
USUAL_FIELDS: Final = FLOAT_FIELDS[:-1]
LADEN, INTACT, IMMOBILISED, EMERGENCY_BRAKING = 1, 2, 4, 8
VARINT_MAX: Final = 10
DOUBLE: Final = 8
LENGTH_DELIMITED: Final = 2


class ReportFrames:
    """Writes frames for a fleet of *count* trucks into a buffer of its own."""

    def __init__(self, count: int) -> None:
        self.ints = np.zeros((len(INT_FIELDS), count), dtype=np.int64)
        self.floats = np.zeros((len(FLOAT_FIELDS), count), dtype=np.float64)
        room = (len(INT_FIELDS) * VARINT_MAX + len(FLOAT_FIELDS) * DOUBLE) * count + 16 * (len(INT_FIELDS) + len(FLOAT_FIELDS))
        self._bytes = np.zeros(room, dtype=np.uint8)

    def encode(self, count: int, *, weak: bool = True) -> bytes:
        """The first *count* columns of the matrices as a `ReportFrame`; without brake health unless some brakes are *weak*."""
        fields = FLOAT_FIELDS if weak else USUAL_FIELDS
        length = encode(self.ints, self.floats, count, INT_FIELDS, fields, self._bytes)
        return self._bytes[:length].tobytes()


@kernel
def fill(motion: Motion, belief: Belief, state: Onboard, demand: Demand, handle: IndexArray, apart: FlagArray, ints: IntMatrix) -> int:
    """
    Fill the whole-number columns with the reports of all trucks that have a handle; the answer is how many.

    motion, belief, state, demand   (n,); stamp and challenge of the report are written to state
    handle   (n,) -1: not welcomed yet
    apart    (n,) who does not speak through this frame
    ints     (8, n) written: handle, stamp, row of the truck (its lane follows), flags, epoch, sequence, challenge, echo
    """
    count = 0
    for i in range(handle.shape[0]):
        if apart[i]:
            continue
        state.asked_ns[i] = max(state.asked_ns[i] + 1, belief.clock_ns[i])
        if handle[i] < 0:
            continue
        state.said_ns[i] = max(state.said_ns[i] + 1, belief.stamp_ns[i])
        flags = INTACT if belief.intact[i] else 0
        if belief.laden[i]:
            flags |= LADEN
        if state.parked[i] and motion.speed_mps[i] == 0.0:
            flags |= IMMOBILISED
        if demand.mode[i] == EMERGENCY_BRAKE:
            flags |= EMERGENCY_BRAKING
        ints[0, count] = handle[i]
        ints[1, count] = state.said_ns[i]
        ints[2, count] = i
        ints[3, count] = flags
        ints[4, count] = state.seen_epoch[i]
        ints[5, count] = state.seen_sequence[i]
        ints[6, count] = state.asked_ns[i]
        ints[7, count] = state.echo[i]
        count += 1
    return count


@kernel
def fill_places(
    belief: Belief,
    state: Onboard,
    lane_ix: IndexArray,
    chainage_m: FloatArray,
    battery_wh: FloatArray,
    count: int,
    ints: IntMatrix,
    floats: FloatArray,
) -> bool:
    """
    Fill lanes and the columns of real numbers for the trucks that `fill` chose; the answer is whether any of them has weak brakes.

    belief, state, lane_ix, chainage_m, battery_wh   (n,); places as believed, bounds with what doubt adds
    ints     (8, n) row 2 turns from truck rows into lane rows
    floats   (7, n) written: chainage, speed, acceleration, bound, battery, friction, brake health
    """
    weak = False
    for j in range(count):
        i = ints[2, j]
        ints[2, j] = lane_ix[i]
        floats[0, j] = chainage_m[i]
        floats[1, j] = belief.speed_mps[i]
        floats[2, j] = belief.acceleration_mps2[i]
        floats[3, j] = belief.bound_m[i] + state.doubt_m[i]
        floats[4, j] = battery_wh[i]
        floats[5, j] = said_friction(Grip(state.grip[i], state.grip_met_m[i]), belief.nose_m[i])
        floats[6, j] = max(state.health[i], HEALTH_SAID_MIN)
        weak |= state.health[i] < 1.0
    return weak


@piece
def _put_varint(value: int, out: ByteArray, at: int) -> int:
    """Write a number that is not negative as a varint at *at*; where the next byte goes."""
    while value >= 128:
        out[at] = (value & 127) | 128
        value >>= 7
        at += 1
    out[at] = value
    return at + 1


@piece
def _varint_size(value: int) -> int:
    size = 1
    while value >= 128:
        value >>= 7
        size += 1
    return size


@kernel
def encode(ints: IntMatrix, floats: FloatArray, count: int, int_fields: IntMatrix, float_fields: IntMatrix, out: ByteArray) -> int:
    """
    Write packed columns; the answer is how many bytes.

    ints     (a, n), none negative        int_fields    (a,) field numbers
    floats   (b or more, n)               float_fields  (b,)
    out      bytes, long enough
    """
    at = 0
    for f in range(int_fields.shape[0]):
        size = 0
        for j in range(count):
            size += _varint_size(ints[f, j])
        at = _put_varint(size, out, _put_varint((int_fields[f] << 3) | LENGTH_DELIMITED, out, at))
        for j in range(count):
            at = _put_varint(ints[f, j], out, at)
    bits = floats.view(np.uint64)
    for f in range(float_fields.shape[0]):
        at = _put_varint(count * DOUBLE, out, _put_varint((float_fields[f] << 3) | LENGTH_DELIMITED, out, at))
        for j in range(count):
            word = bits[f, j]
            for b in range(DOUBLE):
                out[at + b] = (word >> np.uint64(8 * b)) & np.uint64(255)
            at += DOUBLE
    return at
