"""A map change among simulated trucks: proposed in full traffic, drained by the trucks' own motion, switched."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from fleet.server.headless import HeadlessServer
from fleet.site import corridor_of_text, text_of
from fleet.v1 import dispatch_pb2 as d
from planner.corridor import Corridor
from planner.oracle import Judge
from sim_harness.checkers import Checkers
from sim_harness.clock import TICK_NS
from sim_harness.in_memory import Answers, InMemoryServer
from sim_harness.recording import Recorder
from sim_harness.report import opening_s
from sim_harness.runner import Runner
from sim_harness.scenario import load_scenario

QUICK = ["processes.bay={shape: fixed, fixed_s: 20}", "plant.inspect_share=0", "plant.refuse_share=0", "plant.loader_mtbf_h=0"]
CHANGED = "nb_3"
ASK_TICKS = 50


class ChangedServer(InMemoryServer):
    """A server whose operator proposes another site at *propose_tick* and asks for the switch until it is made."""

    def __init__(self, corridor: Corridor, day_start_s: int, text: str) -> None:
        super().__init__(corridor, day_start_s, mortal=True)
        assert self._server is not None
        self.server = self._server
        self.propose_tick = 0
        self.refused: list[str] = []
        self._text = text

    def tick(self, now_ns: int) -> Answers:
        """A tick; what is asked about the site is not the runner's business."""
        since = now_ns // TICK_NS - self.propose_tick if self.propose_tick else -1
        if since == 0:
            self._own("ProposeSite", d.ProposeSiteRequest(request_id="propose", text=self._text))
        elif since > 0 and since % ASK_TICKS == 0:
            digest = corridor_of_text(self._text).digest
            self._own("SwitchSite", d.SwitchSiteRequest(request_id=f"switch-{since}", digest=digest))
        answers = super().tick(now_ns)
        self.refused += [reason for method, reason in answers.refusals if method == "SwitchSite"]
        return replace(answers, refusals=[(method, reason) for method, reason in answers.refusals if method != "SwitchSite"])

    def _own(self, method: str, request: Any) -> None:
        self._asked[self.server.call(f"DispatchService/{method}", request)] = (method, request)


def grounds(server: HeadlessServer, corridor: Corridor) -> list[list[tuple[str, float, float]]]:
    """What each truck may hold, by the names of lanes."""
    trucks = server.engine.loop.trucks
    return [[(corridor.lanes[lane].lane_id, low_m, high_m) for lane, low_m, high_m in trucks.ground(row)] for row in range(trucks.count)]


def test_a_map_is_changed_in_full_traffic(tmp_path: Path) -> None:
    """Ten trucks under way: nobody touches anybody, nobody is on what changes, and the ledger says the same on the new site."""
    path = tmp_path / "slower.yaml"
    path.write_text(f"extends: mandula\nsite: slower\nlanes: {{{CHANGED}: {{speed_kmh: 20}}}}\n", "utf-8")
    after = corridor_of_text(text_of(path))
    scenario = load_scenario("mandula", QUICK, hours=0.5)
    server = ChangedServer(scenario.corridor, int(opening_s(scenario.roster)), text_of(path))
    checkers = Checkers(scenario.roster)
    lane_ix = scenario.corridor.lane_ix[CHANGED]

    with Recorder(None, scenario.roster) as recorder:
        runner = Runner(scenario, server, recorder, checkers)
        for tick in range(round(scenario.hours * 36_000)):
            runner.tick()
            if not server.propose_tick and lane_ix in runner.trucks.places.lane_ix:
                server.propose_tick = tick + 2
            if server.server.switched_to is not None:
                break
    figures = checkers.figures()
    emergencies = runner.totals(0.0).emergency_brakes
    successor = HeadlessServer(after, server.server.engine.options, server._journal)

    assert server.server.switched_to is after
    assert f"on changed lane {CHANGED}" in server.refused[0]
    assert (figures.overlaps, figures.overruns, emergencies) == ((), (), 0)
    assert grounds(successor, after) == grounds(server.server, scenario.corridor)
    assert Judge(after).sweep(successor.engine.loop.trucks) == []
    assert all(lane_id != CHANGED for ground in grounds(successor, after) for lane_id, _, _ in ground)
