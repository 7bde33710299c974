"""Where on their lanes the trucks are, for people and readers, who do not count in path coordinates."""

from __future__ import annotations

from typing import Final

from planner._jit import kernel
from planner.tables import REAL_COLUMNS, FloatArray, IndexArray, TruckColumns

NOSE_M: Final = REAL_COLUMNS.index("nose_m")
END_M: Final = REAL_COLUMNS.index("end_m")
REAR_M: Final = REAL_COLUMNS.index("rear_m")
# Rows of what `find_places` writes.
NOSE, END, REAR = 0, 1, 2


@kernel
def find_places(trucks: TruckColumns, out_lane_ix: IndexArray, out_chainage_m: FloatArray) -> None:
    """
    Lane rows and chainages of noses, ends and confirmed rears.

    trucks          of which the first n are looked at
    out_lane_ix     (3, n) written; -1 for a truck without a path. A boundary belongs to the lane that begins there, what lies before
                    the path or beyond it to its first and last lane
    out_chainage_m  (3, n) written; the path coordinate of a truck without a path
    """
    for i in range(out_lane_ix.shape[1]):
        count = trucks.path_count[i]
        for at, column in ((NOSE, NOSE_M), (END, END_M), (REAR, REAR_M)):
            path_m = trucks.real[column, i]
            # The lane looked for is one of [k, beyond).
            k, beyond = 0, count
            while beyond - k > 1:
                middle = (k + beyond) // 2
                if trucks.path_start_m[i, middle] <= path_m:
                    k = middle
                else:
                    beyond = middle
            out_lane_ix[at, i] = trucks.path_lane[i, k] if count > 0 else -1
            out_chainage_m[at, i] = path_m - trucks.path_start_m[i, k]
