"""
A string of trucks driven by the Intelligent Driver Model: ours beside SUMO's, second by second.

SUMO runs as a process of its own and is asked over TraCI, on this machine. The leader sets off, cruises, goes faster, stops and
sets off again; both simulators are told its speed and nothing else.
"""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import redirect_stdout
from importlib.util import find_spec
from io import StringIO
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import numpy as np

from sim_harness.idm import Convoy, Driver
from sim_harness.observation import TICK_S, FloatArray
from sim_harness.referee.finding import Finding

REFEREE: Final = "SUMO"
TRUCKS: Final = 20
TICKS: Final = 4000
SPEEDS: Final = f"speeds of {TRUCKS} trucks by IDM for {TICKS * TICK_S:.0f} s"
LENGTH_M: Final = 18.0
DRIVER: Final = Driver(speed_wish_mps=20.0, time_gap_s=1.5, gap_least_m=4.0, acceleration_mps2=0.8, brake_mps2=2.0)
ROAD_M: Final = 12_000.0
FIRST_NOSE_M: Final = 1000.0
FIRST_GAP_M: Final = 5.0

SPEED_BOUND_MPS: Final = 1e-3
# The safety case quotes gaps to four decimals.
GAP_BOUND_M: Final = 1e-4
QUOTED_GAPS_M: Final = {8.33: 16.7489, 13.89: 28.3508}
# From these seconds on the leader goes for these speeds, by so much at a time.
LEADER: Final = ((0.0, 8.33), (130.0, 13.89), (240.0, 0.0), (320.0, 8.33))
LEADER_GAIN_MPS2: Final = 0.8
LEADER_LOSS_MPS2: Final = 1.0
# Ticks after which the first follower has settled behind its leader.
SETTLED: Final = {1299: 8.33, 2399: 13.89}

NET: Final = f"""<net version="1.20">
<location netOffset="0,0" convBoundary="0,0,{ROAD_M},0" origBoundary="0,0,{ROAD_M},0" projParameter="!"/>
<edge id="road" from="west" to="east" priority="1">
<lane id="road_0" index="0" speed="{DRIVER.speed_wish_mps}" length="{ROAD_M}" shape="0,0 {ROAD_M},0"/></edge>
<junction id="west" type="dead_end" x="0" y="0" incLanes="" intLanes="" shape="0,0"/>
<junction id="east" type="dead_end" x="{ROAD_M}" y="0" incLanes="road_0" intLanes="" shape="{ROAD_M},0"/>
</net>
"""
TYPE: Final = (
    f'<vType id="truck" carFollowModel="IDM" length="{LENGTH_M}" maxSpeed="{DRIVER.speed_wish_mps}" tau="{DRIVER.time_gap_s}" '
    f'minGap="{DRIVER.gap_least_m}" accel="{DRIVER.acceleration_mps2}" decel="{DRIVER.brake_mps2}" emergencyDecel="9" '
    f'delta="{DRIVER.exponent}" speedFactor="1" speedDev="0"/>'
)
OPTIONS: Final = ("--step-length", f"{TICK_S}", "--step-method.ballistic", "--no-step-log", "--xml-validation", "never")


def first_noses_m() -> FloatArray:
    """(n,) where the trucks stand at first, the leader foremost."""
    return FIRST_NOSE_M - (LENGTH_M + FIRST_GAP_M) * np.arange(TRUCKS, dtype=np.float64)


def leader_speeds_mps() -> Iterator[float]:
    """The leader's speed at the end of each tick."""
    speed_mps = 0.0
    for tick in range(TICKS):
        goal_mps = next(goal for start_s, goal in reversed(LEADER) if tick * TICK_S >= start_s)
        if goal_mps > speed_mps:
            speed_mps = min(goal_mps, speed_mps + LEADER_GAIN_MPS2 * TICK_S)
        else:
            speed_mps = max(goal_mps, speed_mps - LEADER_LOSS_MPS2 * TICK_S)
        yield speed_mps


def ours() -> tuple[FloatArray, FloatArray]:
    """Speeds (ticks, n) and gaps (ticks, n - 1) of our convoy."""
    convoy = Convoy(DRIVER, LENGTH_M, first_noses_m())
    speeds_mps, gaps_m = np.empty((TICKS, TRUCKS)), np.empty((TICKS, TRUCKS - 1))
    for tick, leader_mps in enumerate(leader_speeds_mps()):
        convoy.tick(leader_mps)
        speeds_mps[tick], gaps_m[tick] = convoy.speed_mps, convoy.gap_m
    return speeds_mps, gaps_m


def _files(folder: Path) -> list[str]:
    """Writes road and trucks; how SUMO is told of them."""
    net, routes = folder / "road.net.xml", folder / "trucks.rou.xml"
    net.write_text(NET, encoding="utf-8")
    trucks = "".join(
        f'<vehicle id="{k}" type="truck" route="along" depart="0" departPos="{nose_m}" departSpeed="0" insertionChecks="none"/>'
        for k, nose_m in enumerate(first_noses_m().tolist())
    )
    routes.write_text(f'<routes>{TYPE}<route id="along" edges="road"/>{trucks}</routes>', encoding="utf-8")
    return ["--net-file", str(net), "--route-files", str(routes)]


def sumos() -> tuple[FloatArray, FloatArray]:
    """Speeds (ticks, n) and gaps (ticks, n - 1) of SUMO's."""
    import sumo  # noqa: PLC0415 - only the referees' environment has them
    import traci  # noqa: PLC0415
    from traci.constants import VAR_LANEPOSITION, VAR_SPEED  # noqa: PLC0415

    # What SUMO does not say must not agree with anything.
    speeds_mps, noses_m = np.full((TICKS, TRUCKS), np.nan), np.full((TICKS, TRUCKS), np.nan)
    with TemporaryDirectory() as folder:
        command = [str(Path(sumo.SUMO_HOME) / "bin" / "sumo"), *_files(Path(folder)), *OPTIONS]
        with redirect_stdout(StringIO()):  # it tells of every attempt to connect
            traci.start(command, stdout=subprocess.DEVNULL)
        try:
            traci.simulationStep()  # puts the trucks on the road
            for k in range(TRUCKS):
                traci.vehicle.subscribe(str(k), (VAR_SPEED, VAR_LANEPOSITION))
            traci.vehicle.setSpeedMode("0", 0)  # the leader obeys, whatever its own model says
            for tick, leader_mps in enumerate(leader_speeds_mps()):
                traci.vehicle.setSpeed("0", leader_mps)
                traci.simulationStep()
                for name, seen in traci.vehicle.getAllSubscriptionResults().items():
                    speeds_mps[tick, int(name)], noses_m[tick, int(name)] = seen[VAR_SPEED], seen[VAR_LANEPOSITION]
        finally:
            traci.close()
    return speeds_mps, noses_m[:, :-1] - LENGTH_M - noses_m[:, 1:]


def findings(own: tuple[FloatArray, FloatArray], other: tuple[FloatArray, FloatArray]) -> list[Finding]:
    """Speeds and gaps (see `ours`) of two simulators beside each other, and both beside the quoted gaps and the formula's."""
    found = [
        Finding(
            referee=REFEREE,
            compared=SPEEDS,
            worst=float(np.abs(own[0] - other[0]).max()),
            bound=SPEED_BOUND_MPS,
            unit="m/s",
            cases=own[0].size,
        )
    ]
    for tick, speed_mps in SETTLED.items():
        quoted_m = QUOTED_GAPS_M[speed_mps]
        gaps_m = (own[1][tick, 0], other[1][tick, 0], DRIVER.equilibrium_gap_m(speed_mps))
        found.append(
            Finding(
                referee=REFEREE,
                compared=f"gap of {quoted_m} m at {speed_mps} m/s: ours, SUMO's, the formula's",
                worst=max(abs(float(gap_m) - quoted_m) for gap_m in gaps_m),
                bound=GAP_BOUND_M,
                unit="m",
                cases=len(gaps_m),
            )
        )
    return found


def compare() -> list[Finding]:
    """Ours beside SUMO's, where SUMO can be had."""
    if find_spec("sumo") is None or find_spec("traci") is None:
        remark = "eclipse-sumo and traci are not installed"
        return [Finding(referee=REFEREE, compared=SPEEDS, worst=None, bound=SPEED_BOUND_MPS, unit="m/s", remark=remark)]
    return findings(ours(), sumos())
