"""Slow twin of the kernel that says where trucks are: one truck at a time, lane by lane."""

from __future__ import annotations

from planner.tables import TruckTable

Place = tuple[int, float]


def slow_find_places(trucks: TruckTable) -> list[tuple[Place, Place, Place]]:
    """Lane row and chainage of the nose, the end and the confirmed rear of each truck; lane -1 without a path."""
    return [
        (
            _place(trucks, row, float(trucks.nose_m[row])),
            _place(trucks, row, float(trucks.end_m[row])),
            _place(trucks, row, float(trucks.rear_m[row])),
        )
        for row in range(trucks.count)
    ]


def _place(trucks: TruckTable, row: int, path_m: float) -> Place:
    count = int(trucks.path_count[row])
    starts_m: list[float] = trucks.path_start_m[row, : max(count, 1)].tolist()
    begun = [k for k, start_m in enumerate(starts_m) if start_m <= path_m]
    k = begun[-1] if begun else 0
    return (int(trucks.path_lane[row, k]) if count else -1), path_m - starts_m[k]
