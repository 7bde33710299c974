"""One target under atheris, which looks for inputs that reach new lines: `python -m tests.fuzz.target NAME [libFuzzer's options]`."""

from __future__ import annotations

import sys
from collections.abc import Callable
from contextlib import suppress
from typing import Final

import atheris

with atheris.instrument_imports(
    include=["fleet.site", "fleet.server.wire", "fleet.onboard", "sim_harness.scenario", "sim_harness.parts", "ruamel.yaml"]
):
    from fleet.errors import FleetError
    from fleet.onboard.link.translation import heard_of
    from fleet.server.limits import FRAME_BYTES_MAX
    from fleet.server.wire.codec import Codec
    from fleet.server.wire.interceptors import Unreadable, _total
    from fleet.v1 import gateway_pb2, truck_pb2
    from tests.fuzz.files import read_scenario, read_site, read_values

_CODEC: Final = Codec(["a", "b"])
_GATEWAY: Final = _total(gateway_pb2.GatewayMessage.FromString, FRAME_BYTES_MAX)
_CONTROL: Final = _total(truck_pb2.ControlMessage.FromString, FRAME_BYTES_MAX)


def read_frame(raw: bytes) -> None:
    """What a gateway says, as far as the codec takes it."""
    message = _GATEWAY(raw)
    if isinstance(message, Unreadable):
        return
    with suppress(FleetError):
        _CODEC.frame(message.reports, lambda rows: rows >= 0)
    for relayed in message.relayed:
        with suppress(FleetError):
            _CODEC.hello(1, relayed.message.hello)
        with suppress(FleetError):
            _CODEC.acknowledgement(0, relayed.message.acknowledgement)


def read_control(raw: bytes) -> None:
    """What a server says, as a truck reads it."""
    message = _CONTROL(raw)
    if not isinstance(message, Unreadable):
        with suppress(FleetError):
            heard_of(message)


TARGETS: Final[dict[str, Callable[[bytes], object]]] = {
    "site_values": read_values,
    "sites": read_site,
    "scenarios": read_scenario,
    "gateway": read_frame,
    "control": read_control,
}


if __name__ == "__main__":
    name = sys.argv.pop(1)
    read = TARGETS[name]
    atheris.Setup(sys.argv, lambda raw: read(raw) and None)
    atheris.Fuzz()
