"""Arrays in, arrays out: the compiled part. Every public kernel `f` has a slow twin `slow_f` in `planner.oracle`."""

from __future__ import annotations

from planner import braking
from planner._jit import adopt

for _fn in (
    braking.a_safe_mps2,
    braking.pushed_speed_mps,
    braking.stopping_distance_m,
    braking.service_distance_m,
    braking.service_speed_mps,
    braking.service_speed_to_mps,
    braking.travel_s,
    braking.swept_m,
    braking.run_up_speed_mps,
    braking.even_stop_speed_mps,
):
    adopt(_fn)
