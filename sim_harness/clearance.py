"""
How far bodies are from each other: the same boxes that must not meet, measured instead of told apart.

For recordings and for those who look at one moment; every tick only asks whether any two meet (`checks.body_overlaps`).
"""

from __future__ import annotations

import math

from planner._jit import kernel, piece
from sim_harness.checks import apart
from sim_harness.observation import FloatArray

Box = tuple[float, float, float, float, float]


@piece
def _corner_gap_m(a: Box, b: Box) -> float:
    """Least distance from the corners of box *a* to box *b*; a box is (x0, y0, x1, y1, half width)."""
    ax0, ay0, ax1, ay1, a_half = a
    bx0, by0, bx1, by1, b_half = b
    a_long = math.hypot(ax1 - ax0, ay1 - ay0)
    b_long = math.hypot(bx1 - bx0, by1 - by0)
    across_x, across_y = -(ay1 - ay0) / a_long * a_half, (ax1 - ax0) / a_long * a_half
    ux, uy = (bx1 - bx0) / b_long, (by1 - by0) / b_long
    least_m = math.inf
    for end in range(2):
        for side in range(2):
            sign = 1.0 - 2.0 * side
            x_m = (ax1 if end else ax0) + sign * across_x - bx0
            y_m = (ay1 if end else ay0) + sign * across_y - by0
            along_m = x_m * ux + y_m * uy
            beyond_m = max(0.0, -along_m, along_m - b_long)
            beside_m = max(0.0, abs(y_m * ux - x_m * uy) - b_half)
            least_m = min(least_m, math.hypot(beyond_m, beside_m))
    return least_m


@piece
def _between_m(x_m: FloatArray, y_m: FloatArray, width_m: FloatArray, row: int, other: int) -> float:
    """Least distance between two bodies: between convex boxes that are apart it lies at a corner of one of them."""
    least_m = math.inf
    for i in range(x_m.shape[1] - 1):
        a = (x_m[row, i], y_m[row, i], x_m[row, i + 1], y_m[row, i + 1], 0.5 * width_m[row])
        for j in range(x_m.shape[1] - 1):
            b = (x_m[other, j], y_m[other, j], x_m[other, j + 1], y_m[other, j + 1], 0.5 * width_m[other])
            if not apart(a, b, 0.0) and not apart(b, a, 0.0):
                return 0.0
            least_m = min(least_m, _corner_gap_m(a, b), _corner_gap_m(b, a))
    return least_m


@kernel
def body_clearances(x_m: FloatArray, y_m: FloatArray, width_m: FloatArray, out_m: FloatArray) -> None:
    """
    Metres between each two bodies, zero where they meet.

    x_m, y_m  (n, points) bodies, nose first
    width_m   (n,)
    out_m     (n, n) written both ways; inf between a body and itself
    """
    for row in range(x_m.shape[0]):
        out_m[row, row] = math.inf
        for other in range(row):
            out_m[row, other] = _between_m(x_m, y_m, width_m, row, other)
            out_m[other, row] = out_m[row, other]
