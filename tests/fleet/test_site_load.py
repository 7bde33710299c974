"""Site files: what is wrong with one is said in one line, with the place and what to do."""

from __future__ import annotations

import json
from collections.abc import Callable
from importlib import resources
from pathlib import Path

import jsonschema
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from ruamel.yaml import YAML

from fleet.site import SiteError, corridor_of_text, load_site, site_names, site_schema, text_of
from fleet.site.load import examine, read_source
from planner.corridor import Corridor, GateRole, StandKind, YardRole

MANDULA = Path(str(resources.files("fleet.sites").joinpath("mandula.yaml")))
Write = Callable[[str], Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Writes a site file and says where."""

    def made(text: str) -> Path:
        path = tmp_path / "site.yaml"
        path.write_text(text, encoding="utf-8")
        return path

    return made


def changed(old: str, new: str) -> tuple[str, int]:
    """The text of mandula with its first *old* replaced, and the line of the change."""
    text = MANDULA.read_text(encoding="utf-8")
    assert old in text
    return text.replace(old, new, 1), text[: text.index(old)].count("\n") + 1


def test_every_site_of_the_package_is_sound() -> None:
    """A site that ships broken would stop trucks for good at the first customer."""
    unsound = {name: [str(one) for one in examine(name)[1]] for name in site_names()}

    assert set(unsound) >= {"mandula", "ganqimaodu", "as_built_2023"}
    assert not any(unsound.values()), unsound


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("  sb_2: {from: sb_700, to:", "  sb_2: {form: sb_700, to:", "unknown key 'form' in lanes.sb_2; did you mean 'from'?"),
        ("  sb_2: {from: sb_700, to: sb_1500}", "  sb_2: {from: sb_700, to: sb_1501}", "no node 'sb_1501'; did you mean 'sb_1500'?"),
        ("{straight_m: 2400}", "{straight_m: -2400}", "should be greater than 0; is -2400"),
        ("length_m: 16.5", "length_m: 0", "truck_types.coal_truck_70t.length_m"),
        ("g2: {lane: sb_2,", "g2: {lane: sb_22,", "no lane 'sb_22'; did you mean 'sb_2'?"),
        ("role: border, process: g2", "role: bordr, process: g2", "cannot be 'bordr'; did you mean 'border'?"),
        ("role: border, process: g2", "role: border, process: g22", "no process 'g22'; did you mean"),
        ("{yard: mn, from: mn_park_a", "{yard: nm, from: mn_park_a", "no yard 'nm'; known here: checkpoint, cn, mn"),
        ("  sb_2: {from: sb_700", "  sb_1: {from: sb_700", "'sb_1' appears twice in one mapping"),
        ("stop_station_m: 900", "stop_station_m: 9000", "lane 'sb_2' does not pass station 9000"),
        ("speed_max_kmh: 25", "speed_max_kmh: fast", "truck_types.coal_truck_70t.speed_max_kmh"),
        ("speed_max_kmh: 25", "speed_max_kmh: .inf", "is not a number"),
        ("speed_max_kmh: 25", "speed_max_kmh: 0.3", "should be greater than or equal to 0.36"),
        ("defaults: {speed_kmh: 25", "defaults: {speed_kmh: 1.0e-308", "should be greater than or equal to 0.36"),
        ("speed_max_kmh: 25", "speed_max_mps: 25", "unknown key 'speed_max_mps'"),
        ("timezone: Asia/Ulaanbaatar", "timezone: Asia/Ulan", "no time zone 'Asia/Ulan'"),
        ('close: "20:00"', 'close: "08:00"', "close_s must follow open_s"),
        ("    pieces:", "    pieces: [", "not YAML"),
        ('windows: "P 12', 'window: "P 12', "there is no figure 'window'; did you mean 'windows'?"),
        ("turn_back: {from: sb_1500, to: nb_1500, radius_m: 17.5", "turn_back: {from: sb_1500, to: nb_1500, radius_m: 5", "radius of"),
    ],
)
def test_a_fault_is_told_in_one_line_with_its_place(write: Write, old: str, new: str, said: str) -> None:
    """Whoever writes a site file at night needs the line and the way out, not a stack of frames."""
    text, line = changed(old, new)

    with pytest.raises(SiteError) as caught:
        load_site(write(text))

    told = str(caught.value)
    assert told.startswith(f"{caught.value.file}:{caught.value.line}: ")
    assert abs(caught.value.line - line) <= 1
    assert said in told
    assert "\n" not in told


def test_two_fans_cannot_make_the_same_lane(write: Write) -> None:
    """Expansion makes names; a clash is the author's to mend, and must name the first maker."""
    text, _ = changed("  sb_1: {from: sb_0, to: sb_700}", "  mn_bay_01: {from: sb_0, to: sb_700}")

    with pytest.raises(SiteError, match="lane 'mn_bay_01' is made twice, first at line"):
        load_site(write(text))


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("  nb_4: {from: nb_700, to: mn_gate}\n", "", "leads nowhere"),
        ("mn_bay_b: {on: mn_loop, station_m: 559.5}", "mn_bay_b: {on: mn_loop, station_m: 525}", "is too short"),
        ("mn_in: {on: main, station_m: -40", "mn_in: {on: main, station_m: -12", "'g6' has 0.0 m of queue area"),
        ("mn_charge_a: {on: mn_loop, station_m: 224}", "mn_charge_a: {on: mn_loop, station_m: 197}", "m long; make it at least"),
        ("  mn_round: {from: mn_out, to: mn_in, radius_m: 20, speed_kmh: 15}  # closes the loop\n", "", "cannot reach each other inside"),
        ("entry_lanes: [mn_entry]", "entry_lanes: []", "no entry_lanes"),
        ('  origin: "A near the crossing, not surveyed"\n', "", "nothing says what origin.latitude_deg rests on"),
        ("nb_3: {from: nb_1500, to: nb_700}", "nb_3: {from: nb_1500, to: nb_700, points: [[300, 0]]}", "turns with a radius"),
        ("sb_0: {on: main, station_m: 25,", "sb_0: {on: main, station_m: 2,", "does not fit its lane"),
        ("spacing_m: 4.5, lead_m: 40", "spacing_m: 3.4, lead_m: 40", "widen the spacing"),
    ],
)
def test_a_site_that_would_strand_trucks_is_refused(write: Write, old: str, new: str, said: str) -> None:
    """Such a site is safe but stands still one day; the check says so before a truck does."""
    text, _ = changed(old, new)

    _, found = examine(write(text))

    assert any(said in str(one) for one in found), [str(one) for one in found]


def test_lanes_too_close_to_pass_are_told(write: Write) -> None:
    """The zone that keeps them apart makes one lane of two; the author should know, not wonder at the queue."""
    nodes = "{nb_1500: {offset_m: -14.8}, nb_700: {offset_m: -14.8}}"
    path = write(f"extends: mandula\nsite: close\nnodes: {nodes}\nlanes: {{turn_back: null}}\n")

    _, found = examine(path)

    assert any("lanes 'sb_2' and 'nb_3' run closer than two trucks' width for 8" in str(one) for one in found)


def test_load_refuses_what_check_refuses(write: Write) -> None:
    """A server must not start on a site that its own checker calls unsound."""
    text, _ = changed("entry_lanes: [mn_entry]", "entry_lanes: []")

    with pytest.raises(SiteError, match="no entry_lanes"):
        load_site(write(text))


def test_an_unknown_site_names_the_nearest() -> None:
    """A slip on the command line is answered with the name that was meant."""
    with pytest.raises(SiteError, match="did you mean 'mandula'"):
        load_site("mandulla")


def test_a_variant_changes_only_what_it_names(write: Write) -> None:
    """Variant files must not drift from the site they vary."""
    base = load_site("mandula")
    variant = load_site(
        write('extends: mandula\nsite: short_day\nwindows: [{open: "08:00", close: "10:00"}]\nfans: {siding: {lead_m: 29}}\n')
    )

    assert variant.site_id == "short_day"
    assert [window.close_s for window in variant.windows] == [36_000]
    assert [lane.lane_id for lane in variant.lanes] == [lane.lane_id for lane in base.lanes]
    assert variant.lanes[variant.lane_ix["siding_01"]] != base.lanes[base.lane_ix["siding_01"]]
    assert variant.lanes[variant.lane_ix["sb_1"]] == base.lanes[base.lane_ix["sb_1"]]


def test_a_variant_points_at_its_own_line(write: Write) -> None:
    """The fault of an override is in the variant, not in the site below it."""
    path = write("extends: mandula\nsite: bad\nlanes:\n  sb_2: {to: nowhere}\n")

    with pytest.raises(SiteError) as caught:
        load_site(path)

    assert (caught.value.file, caught.value.line) == (str(path), 4)


def test_a_site_is_worked_out_again_when_it_or_what_it_extends_has_changed(tmp_path: Path, write: Write) -> None:
    """Whoever mends a file in an editor and loads it again gets the mended one; else it costs a second for nothing."""
    base = write(MANDULA.read_text(encoding="utf-8"))
    variant = tmp_path / "variant.yaml"
    variant.write_text(f"extends: {base.name}\nsite: variant\ntitle: A\n", encoding="utf-8")

    first = load_site(variant)
    same = load_site(variant)
    base.write_text(base.read_text("utf-8") + "# seen again\n", encoding="utf-8")
    base_changed = load_site(variant)
    variant.write_text(f"extends: {base.name}\nsite: another\ntitle: A\n", encoding="utf-8")

    assert same is first
    assert base_changed is not first
    assert base_changed == first
    assert load_site(variant).site_id == "another"
    base.unlink()
    with pytest.raises(SiteError):
        load_site(variant)


def test_null_in_a_variant_takes_an_entry_away(write: Write) -> None:
    """A variant must be able to have less than its base."""
    path = write("extends: mandula\nsite: fewer\nshift_handovers: []\ngates: {g2: null}\n")

    assert "g2" not in load_site(path).gate_ix


def test_files_that_extend_one_another_are_refused(write: Write) -> None:
    """A ring of files must end with a line, not with the interpreter's patience."""
    path = write("extends: site.yaml\nsite: ring\n")

    with pytest.raises(SiteError, match="extend one another"):
        load_site(path)


def test_aliases_that_multiply_are_refused(write: Write) -> None:
    """A small file must not be able to fill the memory."""
    rows = ["a0: &a0 [1, 1, 1, 1, 1, 1, 1, 1, 1, 1]"]
    rows += [f"a{n}: &a{n} [" + ", ".join([f"*a{n - 1}"] * 10) + "]" for n in range(1, 9)]

    with pytest.raises(SiteError, match="values"):
        load_site(write("\n".join(rows)))


def test_a_lane_too_long_to_be_compared_is_refused(write: Write) -> None:
    """A kilometre typed as a metre must not take all the memory of the server that reads the site."""
    text = MANDULA.with_name("crossing.yaml").read_text(encoding="utf-8")
    path = write(text.replace("e_1: {x_m: 88,", "e_1: {x_m: 88000,"))

    with pytest.raises(SiteError, match="draw a road of more than 4000 m as several lanes"):
        load_site(path)


def test_the_digest_is_of_what_trucks_must_agree_on(write: Write) -> None:
    """Opening times may change without a map change; a truck's brakes may not."""
    base = load_site("mandula").digest
    head = "extends: mandula\nsite: mandula\n"

    assert load_site("mandula").digest == base
    assert load_site(write(head + 'windows: [{open: "09:00", close: "10:00"}]\n')).digest == base
    assert load_site(write(head + "truck_types: {coal_truck_70t: {brake_guaranteed_mps2: 2.0}}\n")).digest != base
    assert load_site(write(head + "lanes: {sb_1: {speed_kmh: 24}}\n")).digest != base


def test_every_figure_carries_its_standing() -> None:
    """No assumption of ours may pass for a published fact."""
    assumed = load_site("ganqimaodu").assumed

    assert assumed["alignments.main"].startswith("published: 6.19 km")
    assert assumed["processes.g3"].startswith("derived: ")
    assert assumed["fans"].startswith("assumption: ")


def _route_m(corridor: Corridor, gate_from: str, gate_to: str) -> float:
    """Shortest way from stop line to stop line, by plain relaxation."""
    start, end = (corridor.gates[corridor.gate_ix[name]] for name in (gate_from, gate_to))
    lanes = {lane.lane_id: lane for lane in corridor.lanes}
    far = dict.fromkeys((node.node_id for node in corridor.nodes), float("inf"))
    far[lanes[start.lane_id].to_node_id] = lanes[start.lane_id].length_m - start.stop_line_m
    for _ in corridor.nodes:
        for lane in corridor.lanes:
            far[lane.to_node_id] = min(far[lane.to_node_id], far[lane.from_node_id] + lane.length_m)
    return far[lanes[end.lane_id].from_node_id] + end.stop_line_m


def test_the_default_site_is_as_long_as_published() -> None:
    """6.19 km from yard gate to yard gate is the one length everybody can look up."""
    corridor = load_site("ganqimaodu")

    assert _route_m(corridor, "g1_1", "g4_1") == pytest.approx(6_190.0, abs=5.0)
    assert _route_m(corridor, "g5_1", "g6_1") == pytest.approx(6_190.0, abs=5.0)


def test_the_default_site_has_the_stands_and_gates_it_states() -> None:
    """Bays and gates bound the throughput; a lost one would pass for a slow fleet."""
    corridor = load_site("ganqimaodu")
    count = {(stand.yard_id, stand.kind): 0 for stand in corridor.stands}
    for stand in corridor.stands:
        count[stand.yard_id, stand.kind] += 1
    roles = [gate.role for gate in corridor.gates]

    assert {key: value for key, value in count.items() if key[0] != "checkpoint"} == {
        ("mn", StandKind.PARKING): 40,
        ("mn", StandKind.SWAP): 4,
        ("mn", StandKind.PLUG): 20,
        ("mn", StandKind.BAY): 12,
        ("cn", StandKind.PARKING): 40,
        ("cn", StandKind.PLUG): 10,
        ("cn", StandKind.BAY): 12,
    }
    assert {role: roles.count(role) for role in GateRole} == {
        GateRole.EXIT: 4,
        GateRole.BORDER: 2,
        GateRole.CUSTOMS: 2,
        GateRole.PORTAL: 1,
        GateRole.XRAY: 2,
        GateRole.ENTRY: 4,
    }
    assert set(corridor.yard_by_role) == set(YardRole)


def test_grades_are_felt_the_other_way_round_on_the_way_back() -> None:
    """Uphill southbound is downhill northbound; a sign lost here lengthens no brake's path but the real one."""
    corridor = load_site("ganqimaodu")
    south = corridor.lanes[corridor.lane_ix["sb_a_2960"]]
    north = corridor.lanes[corridor.lane_ix["nb_a_4000"]]

    assert [piece.grade for piece in south.grades] == [0.01, -0.01, 0.02, 0.0]
    assert [piece.grade for piece in north.grades] == [0.0, -0.02, 0.01, -0.01]
    ramp_m = south.grades[3].from_m - south.grades[2].from_m
    assert ramp_m == pytest.approx(250.0, abs=0.5)


@pytest.mark.parametrize("name", site_names())
def test_the_published_schema_accepts_our_sites(name: str) -> None:
    """Editors check site files against the schema; it must not cry over sound ones."""
    source = read_source(name)
    own = YAML(typ="safe", pure=True).load(Path(str(resources.files("fleet.sites").joinpath(f"{name}.yaml"))).read_text(encoding="utf-8"))

    jsonschema.Draft202012Validator.check_schema(site_schema())
    jsonschema.validate(source.tree, site_schema())
    jsonschema.validate(own, site_schema())


def test_the_published_schema_refuses_a_slip() -> None:
    """A schema that accepts anything helps nobody."""
    tree = json.loads(json.dumps(read_source("mandula").tree))
    tree["lanes"]["sb_1"]["form"] = "sb_0"

    with pytest.raises(jsonschema.ValidationError, match="form"):
        jsonschema.validate(tree, site_schema())


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=st.text(alphabet=st.characters(codec="utf-8"), max_size=300))
def test_no_text_raises_anything_but_a_site_error(write: Write, text: str) -> None:
    """A pasted e-mail, a binary, an empty file: all are answered in a line."""
    path = write(text)

    assert examine(path)[1]


VALUES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=8),
    st.lists(st.integers(), max_size=3),
    st.dictionaries(st.text(max_size=5), st.integers(), max_size=2),
)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_no_wrong_value_raises_anything_but_a_site_error(write: Write, data: st.DataObject) -> None:
    """Whatever stands where a number belongs, the answer is a line, never a trace."""
    tree = json.loads(json.dumps(read_source("mandula").tree))
    here: object = tree
    while True:
        keys = list(here) if isinstance(here, dict) else list(range(len(here))) if isinstance(here, list) else []
        key = data.draw(st.sampled_from(keys))
        below = here[key]  # type: ignore[index]
        if not isinstance(below, dict | list) or not below or data.draw(st.integers(0, 5)) == 0:
            here[key] = data.draw(VALUES)  # type: ignore[index]
            break
        here = below
    path = write(json.dumps(tree))

    for one in examine(path)[1]:
        assert "\n" not in str(one)


# One that extends none, a small one that does, and the two that change most of what they extend.
@pytest.mark.parametrize("name", ["ceke", "hills", "one_lane", "stress"])
def test_a_site_and_all_it_extends_fit_one_text(name: str) -> None:
    """What is sent to a server and kept in its journal means the same there as here, to the last bit."""
    assert corridor_of_text(text_of(name)).digest == load_site(name).digest


def test_a_text_is_read_once() -> None:
    """Deriving zones takes a second; the control loop has none."""
    text = text_of("mandula")

    assert corridor_of_text(text) is corridor_of_text(text)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("extends: mandula\nsite: other\n", "a site that is sent extends no other"),
        ("site: other\n", "is missing"),
        ("{", "not YAML"),
    ],
)
def test_a_text_that_is_no_site_is_refused_with_its_line(text: str, problem: str) -> None:
    """As a file would be; and nobody far away makes a server read its own disk."""
    with pytest.raises(SiteError, match=problem) as refused:
        corridor_of_text(text)

    assert refused.value.file == "proposed site"
