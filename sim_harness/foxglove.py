"""
`run.mcap`: the run as a scene for Foxglove, one box a truck, and the events as a log; faults and alarms have a log of their own. Beside
them lies what the server showed, for `fleet console --replay` (`sim_harness.show`).

Foxglove knows its messages by name; their descriptors are declared here field by field, so the file explains itself and no
package of generated code is needed. Frame `site`: metres east and north of the site's origin, z up. Times are simulated,
counted from the epoch. Two scenes a second would make a day's file huge, so every `SCENE_EVERY`-th sample becomes a scene.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from google.protobuf import descriptor_pb2, descriptor_pool, duration_pb2, message_factory, timestamp_pb2
from google.protobuf.message import Message
from mcap.writer import CompressionType
from mcap_protobuf.writer import Writer

from sim_harness.geometry import Bodies, LaneLines
from sim_harness.observation import Roster, Sample

SCENE_EVERY: Final = 2
FRAME: Final = "site"
CAB_M: Final = 3.0
LADEN_COLOR: Final = (0.16, 0.20, 0.26)
EMPTY_COLOR: Final = (0.87, 0.60, 0.22)
NS_PER_S: Final = 1_000_000_000

_F = descriptor_pb2.FieldDescriptorProto
_SCALARS: Final = {
    "double": _F.TYPE_DOUBLE,
    "string": _F.TYPE_STRING,
    "bool": _F.TYPE_BOOL,
    "uint32": _F.TYPE_UINT32,
    "fixed32": _F.TYPE_FIXED32,
}
# Foxglove's published messages, as far as they are used: name, then (number, type, field); a star repeats.
_MESSAGES: Final[Mapping[str, tuple[tuple[int, str, str], ...]]] = {
    "Vector3": ((1, "double", "x"), (2, "double", "y"), (3, "double", "z")),
    "Point3": ((1, "double", "x"), (2, "double", "y"), (3, "double", "z")),
    "Quaternion": ((1, "double", "x"), (2, "double", "y"), (3, "double", "z"), (4, "double", "w")),
    "Color": ((1, "double", "r"), (2, "double", "g"), (3, "double", "b"), (4, "double", "a")),
    "Pose": ((1, "Vector3", "position"), (2, "Quaternion", "orientation")),
    "KeyValuePair": ((1, "string", "key"), (2, "string", "value")),
    "CubePrimitive": ((1, "Pose", "pose"), (2, "Vector3", "size"), (3, "Color", "color")),
    "LinePrimitive": (
        (1, "uint32", "type"),
        (2, "Pose", "pose"),
        (3, "double", "thickness"),
        (4, "bool", "scale_invariant"),
        (5, "*Point3", "points"),
        (6, "Color", "color"),
        (7, "*Color", "colors"),
        (8, "*fixed32", "indices"),
    ),
    "TextPrimitive": (
        (1, "Pose", "pose"),
        (2, "bool", "billboard"),
        (3, "double", "font_size"),
        (4, "bool", "scale_invariant"),
        (5, "Color", "color"),
        (6, "string", "text"),
    ),
    "SceneEntityDeletion": ((1, ".google.protobuf.Timestamp", "timestamp"), (2, "uint32", "type"), (3, "string", "id")),
    "SceneEntity": (
        (1, ".google.protobuf.Timestamp", "timestamp"),
        (2, "string", "frame_id"),
        (3, "string", "id"),
        (4, ".google.protobuf.Duration", "lifetime"),
        (5, "bool", "frame_locked"),
        (6, "*KeyValuePair", "metadata"),
        (8, "*CubePrimitive", "cubes"),
        (11, "*LinePrimitive", "lines"),
        (13, "*TextPrimitive", "texts"),
    ),
    "SceneUpdate": ((1, "*SceneEntityDeletion", "deletions"), (2, "*SceneEntity", "entities")),
    "Log": (
        (1, ".google.protobuf.Timestamp", "timestamp"),
        (2, "uint32", "level"),
        (3, "string", "message"),
        (4, "string", "name"),
    ),
}
LOG_INFO: Final = 2
LOG_WARNING: Final = 3
LOG_ERROR: Final = 4
# What the log of faults says, and how loud: among thousands of events they would be looked for in vain.
FAULT_LEVELS: Final[Mapping[str, int]] = {"fault_injected": LOG_WARNING, "fault_ended": LOG_INFO, "alarm_raised": LOG_ERROR}
LINE_STRIP: Final = 0


def _field(number: int, kind: str, name: str) -> descriptor_pb2.FieldDescriptorProto:
    repeated = kind.startswith("*")
    kind = kind.removeprefix("*")
    field = _F(name=name, number=number, label=_F.LABEL_REPEATED if repeated else _F.LABEL_OPTIONAL)
    if kind in _SCALARS:
        field.type = _SCALARS[kind]
    else:
        field.type = _F.TYPE_MESSAGE
        field.type_name = kind if kind.startswith(".") else f".foxglove.{kind}"
    return field


def _classes() -> dict[str, Any]:
    """The message classes by name, in a pool of their own."""
    pool = descriptor_pool.DescriptorPool()
    file = descriptor_pb2.FileDescriptorProto(name="foxglove.proto", package="foxglove", syntax="proto3")
    for known in (timestamp_pb2, duration_pb2):
        needed = descriptor_pb2.FileDescriptorProto.FromString(known.DESCRIPTOR.serialized_pb)
        pool.Add(needed)
        file.dependency.append(needed.name)
    for name, fields in _MESSAGES.items():
        file.message_type.add(name=name, field=[_field(*field) for field in fields])
    pool.Add(file)
    return {name: message_factory.GetMessageClass(pool.FindMessageTypeByName(f"foxglove.{name}")) for name in _MESSAGES}


class FoxgloveWriter:
    """Writes scenes and log lines; `close` completes the file."""

    def __init__(self, path: Path, roster: Roster) -> None:
        self._messages = _classes()
        self._samples = 0
        self._file = path.open("wb")
        self._writer = Writer(self._file, compression=CompressionType.ZSTD)
        self._write("/road", self._road(roster), 0)
        self._scene = self._trucks(roster)

    def sample(self, sample: Sample, bodies: Bodies) -> None:
        """Keeps every `SCENE_EVERY`-th sample as a scene; *bodies* are where the trucks are."""
        self._samples += 1
        if (self._samples - 1) % SCENE_EVERY:
            return
        view = sample.view
        stamp_ns = round(view.time_s * NS_PER_S)
        nose_x, nose_y = bodies.x_m[:, 0].tolist(), bodies.y_m[:, 0].tolist()
        rear_x, rear_y = bodies.x_m[:, -1].tolist(), bodies.y_m[:, -1].tolist()
        for row, (entity, laden) in enumerate(zip(self._scene.entities, view.laden.tolist(), strict=True)):
            entity.timestamp.FromNanoseconds(stamp_ns)
            half_heading = 0.5 * math.atan2(nose_y[row] - rear_y[row], nose_x[row] - rear_x[row])
            cube = entity.cubes[0]
            position, orientation, color = cube.pose.position, cube.pose.orientation, cube.color
            position.x = 0.5 * (nose_x[row] + rear_x[row])
            position.y = 0.5 * (nose_y[row] + rear_y[row])
            orientation.z = math.sin(half_heading)
            orientation.w = math.cos(half_heading)
            color.r, color.g, color.b = LADEN_COLOR if laden else EMPTY_COLOR
            entity.metadata[0].value = sample.standing_cause[row]
        self._write("/trucks", self._scene, stamp_ns)

    def event(self, time_s: float, event: str, fields: Mapping[str, object]) -> None:
        """Keeps one event as a log line; what is about a fault in the log of faults too."""
        stamp_ns = round(time_s * NS_PER_S)
        line = self._messages["Log"](level=FAULT_LEVELS.get(event, LOG_INFO), name=event, message=json.dumps(fields, default=str))
        line.timestamp.FromNanoseconds(stamp_ns)
        self._write("/events", line, stamp_ns)
        if event in FAULT_LEVELS:
            self._write("/faults", line, stamp_ns)

    def show(self, topic: str, message: Message, stamp_ns: int) -> None:
        """Keeps a message of the server's."""
        self._write(topic, message, stamp_ns)

    def close(self) -> None:
        """Completes the file."""
        self._writer.finish()  # type: ignore[no-untyped-call]
        self._file.close()

    def _write(self, topic: str, message: Any, stamp_ns: int) -> None:
        self._writer.write_message(topic=topic, message=message, log_time=stamp_ns, publish_time=stamp_ns)

    def _trucks(self, roster: Roster) -> Any:
        """A scene with every truck in it, made once: a sample only moves them."""
        scene = self._messages["SceneUpdate"]()
        for truck_id, kind in zip(roster.truck_ids, roster.truck_types, strict=True):
            entity = scene.entities.add(frame_id=FRAME, id=truck_id)
            cube = entity.cubes.add()
            cube.pose.position.z = 0.5 * CAB_M
            cube.size.x, cube.size.y, cube.size.z = kind.length_m, kind.width_m, CAB_M
            cube.color.a = 1.0
            entity.metadata.add(key="stands_for")
        return scene

    def _road(self, roster: Roster) -> Any:
        scene = self._messages["SceneUpdate"]()
        lines = LaneLines.of(roster.corridor)
        for ix, lane in enumerate(roster.corridor.lanes):
            entity = scene.entities.add(frame_id=FRAME, id=lane.lane_id)
            strip = entity.lines.add(type=LINE_STRIP, thickness=lane.width_m)
            strip.pose.orientation.w = 1.0
            strip.color.r = strip.color.g = strip.color.b = 0.75
            strip.color.a = 0.35
            for point in range(lines.first[ix], lines.first[ix + 1]):
                strip.points.add(x=lines.x_m[point], y=lines.y_m[point])
        return scene
