"""The address of metrics as the server has it: opened, told of each health, closed; and where nobody asked for one, nothing of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from fleet.errors import Code, FleetError
from fleet.server.health.condition import Condition
from fleet.server.health.endpoint import MetricsEndpoint, Told
from fleet.server.health.values import Health

if TYPE_CHECKING:
    from fleet.server.health.metrics import Exposition


@dataclass(eq=False)
class MetricsNotInstalled(FleetError):
    """What makes metrics of the server's health is not installed."""

    code: ClassVar[Code] = Code.PRECONDITION
    hint: ClassVar[str] = "Run `pip install 'khulan[metrics]'`, or serve without --metrics."

    package: str


class Scraping:
    """From `open` to `close`; *listen* is HOST:PORT, empty for nowhere."""

    def __init__(self, listen: str, condition: Condition) -> None:
        """
        Makes ready, and listens nowhere yet.

        Raises:
            MetricsNotInstalled: the library is not there.
        """
        self._exposition: Exposition | None = None
        self._endpoint: MetricsEndpoint | None = None
        if listen:
            exposition = self._exposition = _exposition()
            told = Told(text=lambda: exposition.text, alive=condition.alive, ready=condition.ready)
            self._endpoint = MetricsEndpoint(listen, told)

    def open(self) -> str:
        """
        Listens; the answer is the address, empty for nowhere.

        Raises:
            MetricsAddressTaken: it cannot listen there.
        """
        return "" if self._endpoint is None else self._endpoint.open()

    def publish(self, health: Health) -> None:
        """*health* is what is told from now on."""
        if self._exposition is not None:
            self._exposition.publish(health)

    def close(self) -> None:
        """Listens no more."""
        if self._endpoint is not None:
            self._endpoint.close()


def _exposition() -> Exposition:
    try:
        from fleet.server.health.metrics import Exposition  # noqa: PLC0415 - loaded only where somebody scrapes
    except ModuleNotFoundError as missing:
        raise MetricsNotInstalled(package=str(missing.name)) from missing
    return Exposition()
