"""What one tick has to say so far."""

from __future__ import annotations

from dataclasses import dataclass, field

from fleet.server.desk import Desk
from fleet.server.facts import Fact
from fleet.server.loop.site_change import SiteChange
from fleet.server.loop.stops import Stops
from fleet.server.outgoing import (
    Alarm,
    GrantsOut,
    HeartbeatColumns,
    MissionOut,
    Outgoing,
    RefusalOut,
    Reply,
    ReportRefusedOut,
    RouteOut,
    ShorteningOut,
    WelcomeOut,
)


def camel(name: str) -> str:
    """A verdict's name as the class-like reason peers are told."""
    return "".join(word.capitalize() for word in name.split("_"))


@dataclass(slots=True)
class Words:
    """Collected in the order in which it was decided; sealed by `outgoing`."""

    facts: list[Fact] = field(default_factory=list)
    welcomes: list[WelcomeOut] = field(default_factory=list)
    refusals: list[RefusalOut] = field(default_factory=list)
    routes: list[RouteOut] = field(default_factory=list)
    shortenings: list[ShorteningOut] = field(default_factory=list)
    missions: list[MissionOut] = field(default_factory=list)
    report_refusals: list[ReportRefusedOut] = field(default_factory=list)
    replies: list[Reply] = field(default_factory=list)
    alarms: list[Alarm] = field(default_factory=list)

    def alarm(self, name: str, **fields: str | int | float) -> None:
        """Something a person may want to look at."""
        self.alarms.append(Alarm.of(name, **fields))

    def outgoing(
        self,
        speakers: tuple[Stops, SiteChange, Desk],
        *,
        tick: int,
        now_ns: int,
        grants: GrantsOut | None,
        heartbeats: HeartbeatColumns | None,
    ) -> Outgoing:
        """Everything said in the tick; drains the *speakers*."""
        stops, site_change, desk = speakers
        out = Outgoing(
            tick=tick,
            now_ns=now_ns,
            facts=tuple(self.facts),
            stops=tuple(stops.stops),
            heartbeats=heartbeats,
            resumes=tuple(stops.resumes),
            welcomes=tuple(self.welcomes),
            refusals=tuple(self.refusals),
            routes=tuple(self.routes),
            shortenings=tuple(self.shortenings),
            grants=grants,
            missions=(*self.missions, *desk.missions()),
            report_refusals=tuple(self.report_refusals),
            border_calls=tuple(desk.border_calls()),
            sites=tuple(site_change.words),
            replies=tuple(self.replies),
            alarms=(*self.alarms, *desk.alarms()),
        )
        stops.stops.clear()
        stops.resumes.clear()
        site_change.words.clear()
        return out
