"""The operator commands against a real server of the smallest site, and without any."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner, Result

from fleet.cli import border, control, day, intrusion, lane, order, stop, truck, watch
from fleet.client.values import TransportOrder
from fleet.clock import SystemClock
from sim_harness.bench.process import process
from sim_harness.spawn import COMMAND

APPS: dict[str, typer.Typer] = {
    "border": border.app, "control": control.app, "day": day.app, "intrusion": intrusion.app, "lane": lane.app, "order": order.app,
    "stop": stop.app, "truck": truck.app,
    "watch": watch.app,
}  # fmt: skip
NOWHERE = "127.0.0.1:1"


def fleet(*words: str, server: str = NOWHERE) -> Result:
    """`fleet WORDS --server SERVER`."""
    return CliRunner().invoke(APPS[words[0]], [*words[1:], "--server", server])


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Where a server of `mandula` answers, in a process of its own."""
    data = tmp_path_factory.mktemp("data")
    with process(*COMMAND, "serve", "--site", "mandula", "--data", str(data), "--listen", "127.0.0.1:0") as found:
        yield found.address


@pytest.mark.parametrize(
    "words",
    [
        ("order", "create", "--from", "mn", "--to", "cn", "--containers", "4"), ("order", "list"), ("order", "show", "x"),
        ("order", "cancel", "x"), ("truck", "list"), ("truck", "show", "T1"), ("truck", "why", "T1"),
        ("truck", "hold", "T1", "--reason", "r"), ("truck", "resume", "T1"), ("truck", "decommission", "T1", "--reason", "r"),
        ("truck", "remove", "T1", "--taken-to", "w", "--second-person", "B", "--powered-off"), ("lane", "list"),
        ("lane", "close", "a", "--reason", "r"), ("lane", "open", "a"), ("lane", "limit", "a", "10"), ("stop", "--all", "s"),
        ("truck", "recommission", "T1", "--reason", "r"), ("lane", "grip", "a", "0.3", "--reason", "r"),
        ("stop", "--lift", "s"), ("watch", "--count", "1"), ("day",), ("day", "--date", "2026-11-25"), ("border", "list"), ("border", "gates"), ("border", "release", "K1"),
        ("border", "hold", "K1"), ("border", "inspect", "K1"), ("border", "refuse", "K1"), ("intrusion", "list"),
        ("intrusion", "report", "man-1", "--kind", "person", "--at", "a:150"), ("intrusion", "release", "man-1"),
        ("control", "show"), ("control", "acquire"), ("control", "renew"), ("control", "take-over", "--reason", "r"),
    ],
    ids=" ".join,
)  # fmt: skip
def test_without_a_server_every_command_says_how_to_start_one(words: tuple[str, ...]) -> None:
    """The first thing everybody meets; a traceback would be the last."""
    answer = fleet(*words)

    assert answer.exit_code == 1
    assert "No server answers at 127.0.0.1:1. Start one with `fleet serve --site mandula" in answer.stderr
    assert answer.stdout == ""


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("order", "create"), "--from YARD --to YARD"),
        (("order", "create", "--from", "mn", "--to", "cn", "--containers", "-1"), "containers"),
        (("order", "create", "--from", "mn", "--to", "cn", "--containers", "1", "--due", "noon"), "is not a time"),
        (("order", "create", "--csv", "nowhere.csv"), "no file"),
        (("order", "create", "--csv", "nowhere.csv", "--from", "mn"), "stands alone"),
        (("truck", "why", "T1", "--language", "fr"), "--language"),
        (("truck", "why", "T1", "--lang", "fr"), "--language"),
        (("watch", "--language", "fr"), "--language"),
        (("control", "take-over"), "--reason"),
        (("truck", "remove", "T1", "--taken-to", "w", "--second-person", "B"), "--powered-off"),
        (("stop",), "--all ID or --lift ID"),
        (("stop", "--all", "a", "--lift", "b"), "--all ID or --lift ID"),
        (("lane", "limit", "a", "-5"), ""),
        (("intrusion", "report", "m", "--kind", "person"), "--at"),
        (("intrusion", "report", "m", "--kind", "ghost", "--at", "a:1"), "ghost"),
        (("intrusion", "report", "m", "--kind", "person", "--at", "150"), "--at needs LANE:METRES"),
        (("intrusion", "report", "m", "--kind", "person", "--at", "a:here"), "--at needs LANE:METRES"),
    ],
)
def test_a_wrong_question_ends_with_two(words: tuple[str, ...], said: str) -> None:
    """Scripts tell a mistyped command from a refused one by the exit code."""
    answer = fleet(*words)

    assert answer.exit_code == 2
    assert said in answer.stderr


@pytest.mark.parametrize("address", ["here", "host:", ":50051", "host:port"])
def test_a_server_that_is_no_address_is_a_wrong_question(address: str) -> None:
    """HOST:PORT."""
    answer = fleet("truck", "list", server=address)

    assert answer.exit_code == 2
    assert "HOST:PORT" in answer.stderr


@pytest.mark.parametrize(
    "body", ["a,b\n1,2\n", "from,to,containers\nmn,cn,many\n", "from,to,containers\nmn,cn\n", "from,to,containers,due\nmn,cn,3,noon\n"]
)
def test_a_csv_file_that_cannot_be_read_creates_nothing(tmp_path: Path, body: str) -> None:
    """Half of a file's orders would be worse than none."""
    path = tmp_path / "orders.csv"
    path.write_text("from,to,containers\nmn,cn,2\n" + body if body.startswith("from") is False else body, "utf-8")

    answer = fleet("order", "create", "--csv", str(path))

    assert answer.exit_code == 2
    assert "orders.csv" in answer.stderr


@pytest.mark.parametrize("name", sorted(APPS))
def test_every_group_shows_an_example(name: str) -> None:
    """`--help` is the manual."""
    answer = CliRunner().invoke(APPS[name], ["--help"])

    assert answer.exit_code == 0
    assert "xample: fleet" in answer.stdout


@pytest.mark.processes
def test_orders_live_from_creation_to_cancellation(server: str, tmp_path: Path) -> None:
    """From one line and from a file, shown as tables and as data."""
    path = tmp_path / "orders.csv"
    path.write_text("from,to,containers,due,priority\nmn,cn,6,2026-03-01T14:30,2\nmn,cn,8,,\n", "utf-8")

    created = json.loads(fleet("order", "create", "--from", "mn", "--to", "cn", "--containers", "4", "--json", server=server).stdout)
    filed = json.loads(fleet("order", "create", "--csv", str(path), "--json", server=server).stdout)
    listed = json.loads(fleet("order", "list", "--json", server=server).stdout)
    table = fleet("order", "list", server=server)
    cancelled = json.loads(fleet("order", "cancel", created[0]["order_id"], "--json", server=server).stdout)

    assert [row["container_count"] for row in listed] == [4, 6, 8]
    assert [row["priority"] for row in filed] == [2, 0]
    assert table.exit_code == 0
    assert created[0]["order_id"] in table.stdout
    assert cancelled["state"] == "cancelled"


@pytest.mark.processes
def test_the_same_file_twice_creates_nothing_twice(server: str, tmp_path: Path) -> None:
    """Nor does it after a row was refused: what is in stays in, what was put right comes in, and both are said."""
    path = tmp_path / "refused.csv"
    rows = "from,to,containers,due\nmn,cn,3,\nmn,cn,4,{}\nmn,cn,5,\n"
    before = len(json.loads(fleet("order", "list", "--json", server=server).stdout))
    path.write_text(rows.format("9000-01-01T12:00"), "utf-8")

    refused = fleet("order", "create", "--csv", str(path), "--json", server=server)
    path.write_text(rows.format("2090-01-01T12:00"), "utf-8")
    mended = fleet("order", "create", "--csv", str(path), "--json", server=server)
    again = fleet("order", "create", "--csv", str(path), "--batch", "tomorrow", "--json", server=server)
    listed = json.loads(fleet("order", "list", "--json", server=server).stdout)

    assert (refused.exit_code, mended.exit_code, again.exit_code) == (1, 0, 0), refused.stderr
    assert f"{path}, line 3: " in refused.stderr
    assert "1 of 3 orders are in, 2 are not" in refused.stderr
    assert "1 of them was created before" in mended.stderr
    assert json.loads(mended.stdout)[0]["order_id"] == json.loads(refused.stdout)[0]["order_id"]
    assert [row["container_count"] for row in listed[before:]] == [3, 4, 5, 3, 4, 5]


@pytest.mark.processes
def test_control_is_shown_taken_kept_and_taken_over(server: str) -> None:
    """Whoever wants to command must see who does."""
    nobody = fleet("control", "show", server=server)
    taken = fleet("control", "acquire", "--holder", "bataa", server=server)
    refused = fleet("control", "acquire", "--holder", "odval", server=server)
    over = json.loads(fleet("control", "take-over", "--holder", "odval", "--reason", "shift", "--json", server=server).stdout)
    lost = fleet("control", "renew", "--holder", "bataa", server=server)
    shown = json.loads(fleet("control", "show", "--json", server=server).stdout)

    assert nobody.stdout == "Nobody has had control yet.\n"
    assert "bataa has control until" in taken.stdout
    assert (refused.exit_code, "bataa" in refused.stderr) == (1, True)
    assert (over["holder"], over["sequence"]) == ("odval", 2)
    assert lost.exit_code == 1
    assert shown == over


@pytest.mark.processes
def test_what_the_server_refuses_ends_with_one_and_a_sentence(server: str) -> None:
    """Not with a traceback, and not with zero."""
    for words in (("truck", "show", "nobody"), ("lane", "open", "nowhere"), ("order", "show", "nothing"), ("border", "hold", "KHLU9")):
        answer = fleet(*words, server=server)

        assert answer.exit_code == 1
        assert words[-1] in answer.stderr
        assert "Traceback" not in answer.output


@pytest.mark.processes
@pytest.mark.parametrize(
    ("language", "said"), [("mn", "nobody гэж алга"), ("zh", "没有名为 nobody 的对象"), ("en", "There is no such thing.")]
)
def test_a_refusal_is_read_in_ones_own_language(server: str, monkeypatch: pytest.MonkeyPatch, language: str, said: str) -> None:
    """At night, by somebody who must act on it."""
    monkeypatch.setenv("FLEET_LANGUAGE", language)

    answer = fleet("truck", "show", "nobody", server=server)

    assert answer.exit_code == 1
    assert said in answer.stderr


@pytest.mark.processes
def test_lanes_close_open_and_take_limits(server: str) -> None:
    """What was set is what is listed."""
    lanes = json.loads(fleet("lane", "list", "--json", server=server).stdout)
    name = lanes[0]["lane_id"]
    fleet("lane", "close", name, "--reason", "spilt coal", server=server)
    fleet("lane", "limit", name, "9", "--reason", "dust", server=server)
    after = {row["lane_id"]: row for row in json.loads(fleet("lane", "list", "--json", server=server).stdout)}[name]
    opened = json.loads(fleet("lane", "open", name, "--json", server=server).stdout)

    assert after["closed"]
    assert after["speed_limit_mps"] == pytest.approx(2.5)
    assert not opened["closed"]


@pytest.mark.processes
def test_a_lanes_grip_is_what_a_person_says_and_no_better_than_the_site(server: str) -> None:
    """Frost lowers it, grit brings it back to what the site declares."""
    name = json.loads(fleet("lane", "list", "--json", server=server).stdout)[0]["lane_id"]
    grips = []
    for friction in ("0.3", "1.1"):
        said = fleet("lane", "grip", name, friction, "--reason", "measured", server=server)
        lanes = json.loads(fleet("lane", "list", "--json", server=server).stdout)
        grips.append({row["lane_id"]: row["friction"] for row in lanes}[name])
        assert said.exit_code == 0

    assert grips == [0.3, 0.7]


@pytest.mark.processes
def test_an_all_stop_is_lifted_by_its_id_only(server: str) -> None:
    """On plaintext loopback one person suffices."""
    stopped = fleet("stop", "--all", "dust-1", "--reason", "dust", server=server)
    wrong = fleet("stop", "--lift", "dust-2", server=server)
    lifted = fleet("stop", "--lift", "dust-1", server=server)

    assert (stopped.exit_code, wrong.exit_code, lifted.exit_code) == (0, 1, 0)
    assert "dust-1" in stopped.stdout
    assert "lifted" in lifted.stdout


@pytest.mark.processes
def test_a_place_is_closed_until_it_is_released(server: str) -> None:
    """What a camera saw is on the list with its road, and only its own name takes it off."""
    lanes = json.loads(fleet("lane", "list", "--json", server=server).stdout)
    name = lanes[0]["lane_id"]
    words = ("intrusion", "report", "man-1", "--kind", "person", "--at", f"{name}:5-8", "--detail", "camera 7")
    reported = json.loads(fleet(*words, "--json", server=server).stdout)
    listed = json.loads(fleet("intrusion", "list", "--json", server=server).stdout)
    table = fleet("intrusion", "list", server=server)
    wrong = fleet("intrusion", "release", "man-2", server=server)
    released = json.loads(fleet("intrusion", "release", "man-1", "--json", server=server).stdout)
    empty = fleet("intrusion", "list", server=server)

    assert (reported["kind"], reported["state"], reported["detail"]) == ("person", "seen", "camera 7")
    assert {at["lane_id"] for at in reported["stretches"]} >= {name}
    assert [found["intrusion_id"] for found in listed] == ["man-1"]
    assert "man-1" in table.stdout
    assert (wrong.exit_code, "man-2" in wrong.stderr) == (1, True)
    assert released["state"] == "released"
    assert empty.stdout == "No intrusions.\n"


@pytest.mark.processes
def test_the_fleet_and_the_border_are_seen(server: str) -> None:
    """Lines in a pipe, of JSON where that is asked for; gates with their barriers."""
    update = json.loads(fleet("watch", "--count", "1", "--json", server=server).stdout)
    lines = fleet("watch", "--count", "1", "--language", "zh", server=server).stdout.splitlines()
    gates = json.loads(fleet("border", "gates", "--json", server=server).stdout)

    assert update["snapshot"]
    assert len(lines) == 1
    assert "在线 0 辆" in lines[0]
    assert {gate["state"] for gate in gates} == {"shut"}
    assert fleet("truck", "list", server=server).stdout == "No trucks.\n"
    assert fleet("border", "list", server=server).stdout == "No crossings.\n"


@pytest.mark.parametrize(
    ("state", "years", "said"), [("open", -1, True), ("open", 1, False), ("done", -1, False), ("cancelled", -1, False)]
)
def test_an_open_order_past_its_due_time_is_called_late(state: str, years: int, said: bool) -> None:
    """Whoever reads the list at night should not have to compare clocks."""
    due = SystemClock().utc() + years * timedelta(days=365)
    counts = dict.fromkeys(("container_count", "waiting_count", "aboard_count", "delivered_count", "returned_count", "priority"), 0)
    yards = {"from_yard_id": "mn", "to_yard_id": "cn"}

    row = order._row(TransportOrder(order_id="order-1", due_time=due, state=state, create_time=None, **yards, **counts))

    assert row[order.COLUMNS.index("due")].endswith(" late") is said
