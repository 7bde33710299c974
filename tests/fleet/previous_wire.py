"""
A truck that was built when the wire was one version younger: it knows the protos of `previous/` and nothing that came after.

Its messages are made of those files at run time, in a pool of their own, so that no field added since can slip in by the way.
"""

from __future__ import annotations

import math
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from google.protobuf import descriptor_pb2, descriptor_pool, duration_pb2, message_factory

FOLDER: Final = Path(__file__).resolve().parent / "previous"
TICK_S: Final = 0.1
SHORT_OF_END_M: Final = 3.0
SLOWING_MPS2: Final = 0.5


def previous_files(into: Path) -> descriptor_pb2.FileDescriptorSet:
    """What the frozen protos describe, Google's own included."""
    out = into / "previous.binpb"
    protos = sorted(path.as_posix() for path in FOLDER.rglob("*.proto"))
    command = [sys.executable, "-m", "grpc_tools.protoc", "-I", FOLDER.as_posix(), "--include_imports", f"--descriptor_set_out={out}"]
    subprocess.run([*command, *protos], check=True)
    return descriptor_pb2.FileDescriptorSet.FromString(out.read_bytes())


class PreviousWire:
    """Classes of messages by name, as they were."""

    def __init__(self, files: descriptor_pb2.FileDescriptorSet) -> None:
        self._pool = descriptor_pool.DescriptorPool()
        self._pool.Add(descriptor_pb2.FileDescriptorProto.FromString(duration_pb2.DESCRIPTOR.serialized_pb))
        for file in files.file:
            if not file.name.startswith("google/"):
                self._pool.Add(file)

    def __getattr__(self, name: str) -> Any:
        """The class of messages called *name*."""
        return message_factory.GetMessageClass(self._pool.FindMessageTypeByName(f"fleet.v1.{name}"))


@dataclass(slots=True, kw_only=True)
class PreviousTruck:
    """Says hello, takes the road it is given, drives to its end of authority and no further; behind a gateway of its own time."""

    wire: PreviousWire
    truck_id: str
    lane_id: str
    chainage_m: float
    lane_ids: list[str]
    wire_version: int = 1
    speed_mps: float = 0.0
    stamp_ns: int = 0
    driven_m: float = 0.0
    term: Any = None
    welcome: Any = None
    refusal: Any = None
    end: Any = None
    segments: list[Any] = field(default_factory=list)
    answers: list[Any] = field(default_factory=list)
    echo: int = 0

    def report(self) -> Any:
        """Where it is."""
        self.stamp_ns += 1
        return self.wire.Report(
            stamp_ns=self.stamp_ns, lane_id=self.lane_id, chainage_m=self.chainage_m, speed_mps=self.speed_mps, bound_m=0.3, intact=True,
            challenge=self.stamp_ns, challenge_echo=self.echo, battery_wh=3.3e5, accepted=self.term,
        )  # fmt: skip

    def says(self, **content: Any) -> bytes:
        """One message, as its gateway passes it on."""
        relayed = self.wire.RelayedTruckMessage(truck_id=self.truck_id, message=self.wire.TruckMessage(**content))
        return bytes(self.wire.GatewayMessage(gateway_id="old", relayed=[relayed]).SerializeToString())

    def hello(self) -> bytes:
        """Who it is."""
        said = self.wire.Hello(
            truck_id=self.truck_id, instance_id="i", boot_id="b", truck_type_id="coal_truck_70t", software="old",
            wire_version=self.wire_version, body_lane_ids=[self.lane_id], report=self.report(),
        )  # fmt: skip
        return self.says(hello=said)

    def hear(self, raw: bytes) -> None:
        """What the gateway was told, as far as this wire knows it."""
        control = self.wire.GatewayControl.FromString(raw)
        for relayed in control.relayed:
            self._take(relayed.message)
        for at, handle in enumerate(control.authorities.handle):
            if self.welcome is not None and handle == self.welcome.handle:
                frame = control.authorities
                lane_id = self.lane_ids[frame.end_lane_ix[at]]
                self.end = self.wire.LanePoint(lane_id=lane_id, chainage_m=frame.end_chainage_m[at])
                self.term = self.wire.Term(epoch=frame.epoch, sequence=frame.sequence[at])
        if control.heartbeats.challenge:
            self.echo = control.heartbeats.challenge[0]

    def _take(self, message: Any) -> None:
        content = message.WhichOneof("content")
        said = getattr(message, content) if content else None
        if content == "welcome":
            self.welcome = said
        elif content == "refusal":
            self.refusal = said
        elif content in {"route", "authority", "shortening"}:
            self.term = said.term
            if content == "route":
                self.segments = list(said.segments)
            else:
                self.end = said.end
            if content == "shortening":
                self.answers.append(self.says(acknowledgement=self.wire.Acknowledgement(term=said.term, honoured=True, end=said.end)))

    def drive(self) -> None:
        """A tenth of a second towards the end of authority."""
        self.stamp_ns += int(TICK_S * 1e9)
        if self.end is None or not self.segments:
            return
        here_m, end_m = self._along(self.lane_id, self.chainage_m), self._along(self.end.lane_id, self.end.chainage_m)
        wanted_mps = min(3.0, math.sqrt(2.0 * SLOWING_MPS2 * max(end_m - here_m - SHORT_OF_END_M, 0.0)))
        self.speed_mps += min(max(wanted_mps - self.speed_mps, -0.08), 0.03)
        step_m = self.speed_mps * TICK_S
        self.driven_m += step_m
        self._place(here_m + step_m)

    def _along(self, lane_id: str, chainage_m: float) -> float:
        base_m = 0.0
        for segment in self.segments:
            stretch = segment.stretch
            if stretch.lane_id == lane_id and stretch.start_m - 1e-6 <= chainage_m <= stretch.end_m + 1e-6:
                return float(base_m + chainage_m - stretch.start_m)
            base_m += stretch.end_m - stretch.start_m
        raise AssertionError(f"{lane_id} {chainage_m} is not on the route")

    def _place(self, at_m: float) -> None:
        for segment in self.segments:
            length_m = segment.stretch.end_m - segment.stretch.start_m
            if at_m <= length_m:
                self.lane_id, self.chainage_m = segment.stretch.lane_id, segment.stretch.start_m + at_m
                return
            at_m -= length_m
        raise AssertionError("beyond the route")
