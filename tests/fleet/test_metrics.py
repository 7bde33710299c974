"""Metrics: their names are one table, whoever documents or draws them follows it, and the address they are served at stands fast."""

from __future__ import annotations

import json
import re
import socket
from collections.abc import Iterator
from contextlib import closing
from importlib import resources
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest
from prometheus_client.parser import text_string_to_metric_families

from fleet.server.health.endpoint import MetricsAddressTaken, MetricsEndpoint, Told
from fleet.server.health.metrics import COUNTER, METRICS, PROCESS, Exposition, documentation
from fleet.server.limits import SCRAPE_WITHIN_S, SCRAPES_MAX
from fleet.server.settings import ServerSettings
from tests.fleet.well import WELL

HOUSE = Path(__file__).resolve().parent.parent.parent
DOCUMENT = HOUSE / "docs" / "metrics.md"
WITHIN_S = 20.0
# Of PromQL: what is a name and no metric's.
WORDS = frozenset({"by", "without", "and", "or", "unless", "on", "ignoring", "group_left", "group_right", "bool", "offset"})
NAME = r"[a-zA-Z_:][a-zA-Z0-9_:]*"


def exposed() -> dict[str, set[str]]:
    """Every name that a scrape of a server yields, with its labels."""
    exposition = Exposition()
    exposition.publish(WELL)
    found: dict[str, set[str]] = {}
    for family in text_string_to_metric_families(exposition.text.decode()):
        for sample in family.samples:
            found.setdefault(sample.name, set()).update(sample.labels)
    return found


def metrics_of(query: str) -> dict[str, set[str]]:
    """The metrics that a query names, each with the labels it selects by."""
    bare = re.sub(r'"(?:[^"\\]|\\.)*"', '""', query)
    bare = re.sub(r"\[[^\]]*\]", "", bare)
    bare = re.sub(r"\b(?:by|without|on|ignoring)\s*\([^)]*\)", "", bare)
    found: dict[str, set[str]] = {}
    for name, selector in re.findall(rf"({NAME})\s*(?![\w:(])(?:\{{([^}}]*)\}})?(?!\s*\()", bare):
        if name not in WORDS and not bare[bare.index(name) :].startswith(f"{name}("):
            found.setdefault(name, set()).update(re.findall(rf"({NAME})\s*(?:=~|!=|!~|=)", selector))
    return found


def dashboard() -> dict[str, Any]:
    """The dashboard that comes with the package."""
    read: dict[str, Any] = json.loads((resources.files("fleet.server.health") / "grafana.json").read_text(encoding="utf-8"))
    return read


def queries() -> list[tuple[str, str, str]]:
    """Title of the panel, query and legend, of every target."""
    return [
        (panel["title"], target["expr"], target["legendFormat"]) for panel in dashboard()["panels"] for target in panel.get("targets", ())
    ]


def test_every_row_is_exposed_under_its_name_and_nothing_else_is() -> None:
    """A dashboard that somebody drew last year still finds what it asks for."""
    told = {name for name in exposed() if not name.endswith("_created")}
    wanted = {metric.told for metric in METRICS if metric.histogram is None} | set(PROCESS)
    wanted |= {f"{metric.name}{part}" for metric in METRICS if metric.histogram is not None for part in ("_bucket", "_count", "_sum")}

    assert told == wanted
    assert len({metric.name for metric in METRICS}) == len(METRICS)


def test_names_follow_the_rules_of_prometheus() -> None:
    """Base units, and no name that says its own kind twice."""
    for metric in METRICS:
        assert re.fullmatch(r"khulan_[a-z0-9_]+", metric.name), metric.name
        assert not metric.name.endswith(("_total", "_count", "_sum", "_bucket", "_ms", "_ns")), metric.name
        assert metric.meaning.endswith("."), metric.name
    assert {metric.told for metric in METRICS if metric.kind == COUNTER} == {f"{m.name}_total" for m in METRICS if m.kind == COUNTER}


def test_labels_have_few_values_and_none_is_somebody() -> None:
    """Whoever reaches the address sees how much is driven, and not by whom; and no scraper drowns in series."""
    exposition = Exposition()
    exposition.publish(WELL)

    assert "T001" not in exposition.text.decode()
    assert {label for metric in METRICS for label in metric.labels} == {
        "software", "site", "wire_versions", "state", "quantile", "cause", "session", "kind", "queue", "event",
    }  # fmt: skip


def test_the_documentation_is_the_table() -> None:
    """What a person looks up is what is scraped: after a change, write `documentation()` into docs/metrics.md."""
    assert documentation() in DOCUMENT.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ('histogram_quantile(0.99, sum by (le) (rate(a_bucket{instance=~"$instance"}[5m])))', {"a_bucket": {"instance"}}),
        ('rate(a_total[1m]) / on (x) group_left b{c="d", e!="f{"} > 0', {"a_total": set(), "b": {"c", "e"}}),
        ("time() - a", {"a": set()}),
    ],
)
def test_the_names_in_a_query_are_found(query: str, names: dict[str, set[str]]) -> None:
    """Else the next test would find nothing wrong with anything."""
    assert metrics_of(query) == names


def test_the_dashboard_asks_for_what_there_is() -> None:
    """An empty panel at night is worse than none."""
    known = exposed()
    asked = [(title, name, labels) for title, query, _ in queries() for name, labels in metrics_of(query).items()]

    assert len(asked) > len(METRICS) / 2
    assert [(title, name) for title, name, _ in asked if name not in known] == []
    assert [(title, name, labels) for title, name, labels in asked if labels - known[name] - {"instance"}] == []
    for title, query, legend in queries():
        labels = set().union(*(known[name] for name in metrics_of(query)))
        assert set(re.findall(r"\{\{(\w+)\}\}", legend)) <= labels, title
        assert query.count("(") == query.count(")"), title


def test_every_metric_of_ours_is_on_the_dashboard_or_says_nothing_of_today() -> None:
    """Whoever adds one decides where it is seen."""
    drawn = {name for _, query, _ in queries() for name in metrics_of(query)}
    unseen = {metric.told for metric in METRICS if metric.histogram is None} - drawn

    assert unseen == {
        "khulan_server_info", "khulan_up_seconds", "khulan_epoch", "khulan_trucks_laden", "khulan_containers_delivered_total",
        "khulan_journal_records_total", "khulan_journal_pages",
    }  # fmt: skip


def test_the_dashboard_is_one_that_grafana_11_reads() -> None:
    """Its own form: numbered panels on a grid of 24 that do not lie on each other, each with a source that is chosen at import."""
    read = dashboard()
    panels = read["panels"]
    places = [panel["gridPos"] for panel in panels]
    taken = [(x, y) for at in places for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])]

    assert 39 <= read["schemaVersion"] <= 41
    assert {"title", "uid", "templating", "time", "annotations", "refresh"} <= set(read)
    assert len({panel["id"] for panel in panels}) == len(panels)
    assert {panel["type"] for panel in panels} == {"row", "stat", "timeseries"}
    assert len(set(taken)) == len(taken)
    assert max(x for x, _ in taken) < 24
    assert {panel["datasource"]["uid"] for panel in panels if panel["type"] != "row"} == {"${datasource}"}
    assert [variable["name"] for variable in read["templating"]["list"]] == ["datasource", "instance"]


class Heard:
    """What is told, as a test sets it."""

    alive = (True, "ticks go on")
    ready = (False, "the journal's disk is full")


@pytest.fixture
def endpoint() -> Iterator[str]:
    """An address that is served."""
    served = MetricsEndpoint("127.0.0.1:0", Told(text=lambda: b"a 1\n", alive=lambda: Heard.alive, ready=lambda: Heard.ready))
    yield served.open()
    served.close()


def got(address: str, path: str, method: str = "GET") -> tuple[int, str]:
    """Status and body."""
    try:
        with urlopen(Request(f"http://{address}{path}", method=method), timeout=WITHIN_S) as answer:
            return answer.status, answer.read().decode()
    except HTTPError as refused:
        with closing(refused):
            return refused.code, refused.read().decode()


def test_three_paths_are_served_and_no_other(endpoint: str) -> None:
    """A scraper, and whoever starts servers again or sends them work."""
    assert got(endpoint, "/metrics?x=1") == (200, "a 1\n")
    assert got(endpoint, "/healthz") == (200, "ticks go on\n")
    assert got(endpoint, "/readyz") == (503, "the journal's disk is full\n")
    assert got(endpoint, "/../etc/passwd")[0] == 404
    assert got(endpoint, "/metrics", "HEAD") == (200, "")
    assert got(endpoint, "/metrics", "POST")[0] == 501


def test_an_address_that_is_taken_or_none_of_ours_is_refused_by_name() -> None:
    """The person who starts the server learns what to change."""
    told = Told(text=lambda: b"", alive=lambda: Heard.alive, ready=lambda: Heard.ready)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(MetricsAddressTaken):
            MetricsEndpoint(f"127.0.0.1:{taken.getsockname()[1]}", told).open()
    with pytest.raises(MetricsAddressTaken):
        MetricsEndpoint("192.0.2.1:0", told).open()


def test_nobody_is_asked_for_the_machines_name(monkeypatch: pytest.MonkeyPatch) -> None:
    """In a yard without a name server that takes a good while, and no truck is given road meanwhile."""
    asked: list[str] = []
    monkeypatch.setattr(socket, "gethostbyaddr", asked.append)
    served = MetricsEndpoint("127.0.0.1:0", Told(text=lambda: b"", alive=lambda: Heard.alive, ready=lambda: Heard.ready))
    served.open()
    served.close()

    assert asked == []


@pytest.mark.parametrize("metrics", ["9464x", "127.0.0.1", ":9464", "127.0.0.1:70000", "http://127.0.0.1:9464/"])
def test_what_is_no_address_is_wrong_usage(metrics: str, tmp_path: Path) -> None:
    """It is said before anything is begun."""
    with pytest.raises(ValueError, match="metrics"):
        ServerSettings(data=tmp_path, metrics=metrics)


def test_those_who_say_nothing_do_not_keep_a_scraper_out(endpoint: str) -> None:
    """All its places are taken by whoever found the port: they are cut off after a while, and then it is served again."""
    host, _, port = endpoint.partition(":")
    idle = [socket.create_connection((host, int(port)), WITHIN_S) for _ in range(SCRAPES_MAX)]
    for sockets in idle:
        sockets.sendall(b"GET /met")

    ends = [sockets.recv(1) for sockets in idle]
    served = got(endpoint, "/metrics")
    for sockets in idle:
        sockets.close()

    assert ends == [b""] * SCRAPES_MAX
    assert served == (200, "a 1\n")
    assert SCRAPE_WITHIN_S < WITHIN_S
