"""Rules of the house that no linter knows."""

from __future__ import annotations

import ast
import importlib.util
import re
import subprocess
import sys
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path

import grimp
import pytest

HOUSE = Path(__file__).resolve().parent.parent
PACKAGES = ("fleet", "planner", "sim_harness", "tests")
MODULE_LINES_MAX = 450
FUNCTION_LINES_MAX = 60
# What a page sends its reader to: a file beside it, a heading of it, or both.
LINK = re.compile(r"\]\((?!\w+:)([^)#\s]*)(?:#([^)\s]+))?\)")
HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)


def modules() -> Iterator[Path]:
    """Every module a person wrote."""
    for package in PACKAGES:
        for path in sorted((HOUSE / package).rglob("*.py")):
            if "fleet/v1" not in path.as_posix():
                yield path


def functions(path: Path) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    """Every function of a module, methods included."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def test_a_module_fits_in_one_sitting() -> None:
    """Whoever must stop a truck at night reads a module whole."""
    too_long = {
        path.relative_to(HOUSE).as_posix(): n for path in modules() if (n := len(path.read_text("utf-8").splitlines())) > MODULE_LINES_MAX
    }

    assert too_long == {}


def test_a_function_fits_on_a_screen() -> None:
    """A function that scrolls hides its second half."""
    too_long = {
        f"{path.relative_to(HOUSE).as_posix()}:{node.name}": length
        for path in modules()
        for node in functions(path)
        if (length := (node.end_lineno or node.lineno) - node.lineno + 1) > FUNCTION_LINES_MAX
    }

    assert too_long == {}


def test_what_a_module_imports_of_ours_is_there() -> None:
    """Also where no type checker looks, and nobody runs it every day: a fuzzer, an attacker, a night's soak."""
    missing: list[str] = []
    for path in modules():
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if not isinstance(node, ast.ImportFrom) or (node.module or "").split(".", maxsplit=1)[0] not in PACKAGES:
                continue
            assert node.module is not None
            source = importlib.import_module(node.module)
            missing += [
                f"{path.relative_to(HOUSE).as_posix()}:{node.lineno}: {node.module}.{name.name}"
                for name in node.names
                if not hasattr(source, name.name)
                and not (hasattr(source, "__path__") and importlib.util.find_spec(f"{node.module}.{name.name}"))
            ]

    assert missing == []


def test_no_module_needs_itself_by_a_detour() -> None:
    """Modules in a ring can only be understood, and changed, together; the fault names the ring."""
    graph = grimp.build_graph("fleet", "planner", "sim_harness", cache_dir=None)

    order = [*TopologicalSorter({name: graph.find_modules_directly_imported_by(name) for name in graph.modules}).static_order()]

    assert order.index("planner.bound") < order.index("sim_harness.day_bound")


def test_every_kernel_has_a_slow_twin() -> None:
    """A kernel is believed because something slow and plain gives the same values."""
    kernels = {
        node.name
        for path in sorted((HOUSE / "planner" / "kernels").glob("*.py"))
        for node in functions(path)
        if not node.name.startswith("_") and any(ast.unparse(mark).split("(")[0].endswith("kernel") for mark in node.decorator_list)
    }
    twins = {node.name for path in (HOUSE / "planner").rglob("oracle*/*.py") for node in functions(path)}
    twins |= {node.name for path in (HOUSE / "planner").glob("oracle*.py") for node in functions(path)}

    assert kernels
    assert {name for name in kernels if f"slow_{name}" not in twins} == set()


def anchors(page: Path) -> set[str]:
    """What the headings of a page are called in links, as GitHub and GitLab make it."""
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in HEADING.findall(page.read_text("utf-8"))}


def test_every_link_of_a_page_leads_somewhere() -> None:
    """A reader who is sent nowhere does not come back."""
    pages = [*HOUSE.glob("*.md"), *HOUSE.glob("docs/*.md")]
    links = [(page, *link) for page in pages for link in LINK.findall(page.read_text("utf-8"))]

    dead = [
        f"{page.name}: {name}#{anchor}"
        for page, name, anchor in links
        if not (there := page.parent / name if name else page).exists() or (anchor and anchor not in anchors(there))
    ]

    assert links
    assert dead == []


def test_no_test_sleeps() -> None:
    """A test that sleeps is slow when all is well and wrong when it is not."""
    naps = [
        f"{path.relative_to(HOUSE).as_posix()}:{node.lineno}"
        for path in sorted((HOUSE / "tests").rglob("*.py"))
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.Call) and ast.unparse(node.func) in {"time.sleep", "asyncio.sleep"} and ast.unparse(node.args[0]) != "0"
    ]

    assert naps == []


def test_every_log_event_is_declared() -> None:
    """The vocabulary of the log is closed: a search for an event finds every place that says it."""
    from fleet.log import Event  # noqa: PLC0415 - the subject

    said = {
        name
        for path in modules()
        if path.name != "test_house.py"
        for name in re.findall(r"\.(?:fact|alarm)\(\s*Event\.([A-Z_]+)", path.read_text("utf-8"))
    }

    assert said
    assert said <= {event.name for event in Event}


def test_generated_code_is_fresh(tmp_path: Path) -> None:
    """What is committed under fleet/v1 is what protos/ says."""
    protos = sorted(path.as_posix() for path in (HOUSE / "protos").rglob("*.proto"))
    tools = Path(sys.executable).parent.as_posix()

    command = [sys.executable, "-m", "grpc_tools.protoc", "-I", (HOUSE / "protos").as_posix()]
    command += [
        f"--python_out={tmp_path}",
        f"--grpc_python_out={tmp_path}",
        f"--mypy_out=quiet:{tmp_path}",
        f"--mypy_grpc_out=quiet:{tmp_path}",
    ]
    subprocess.run([*command, *protos], check=True, env={"PATH": f"{tools}:/usr/bin:/bin"})

    made = {path.name: path.read_bytes() for path in (tmp_path / "fleet" / "v1").iterdir()}
    committed = {path.name: path.read_bytes() for path in (HOUSE / "fleet" / "v1").glob("*_pb2*")}
    assert made == committed


@pytest.mark.parametrize("package", ["fleet.onboard", "fleet.client"])
def test_a_truck_does_not_carry_the_server(package: str) -> None:
    """An onboard computer installs and starts without numpy, numba and cryptography."""
    code = f"import sys, {package}; print(sorted({{'numpy', 'numba', 'scipy', 'cryptography', 'fleet.server'}} & set(sys.modules)))"

    answer = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)

    assert answer.stdout.strip() == "[]"


def test_the_command_starts_without_the_heavy_parts() -> None:
    """`fleet --help` must come at once; importing numba alone costs seconds."""
    code = "import sys\nfrom fleet.cli.main import main\ntry:\n    main(['--help'])\nexcept SystemExit as end:\n    assert end.code == 0\nprint(sorted({'numpy', 'numba', 'grpc', 'pydantic', 'typer'} & set(sys.modules)))"

    answer = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)

    assert answer.stdout.splitlines()[-1] == "[]"


# A checkpoint of the core is written in Python's own form of objects; its reader makes the core's values and arrays, and nothing else.
OBJECT_READERS = {"fleet/server/replay/checkpoint.py": {"pickle"}}
NEVER_IMPORTED = {"pickle", "cPickle", "marshal", "shelve", "dill", "cloudpickle", "joblib", "yaml"}
NEVER_CALLED = {"eval", "exec", "compile", "__import__", "os.system", "os.popen", "yaml.load"}


def test_nothing_that_is_read_can_make_objects_or_run() -> None:
    """Site files, scenarios, journals and messages come from anywhere: they are data, and stay data."""
    found = []
    for path in modules():
        name = path.relative_to(HOUSE).as_posix()
        if name.startswith("tests/"):
            continue
        allowed = OBJECT_READERS.get(name, set())
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Import):
                named = {alias.name.partition(".")[0] for alias in node.names} & NEVER_IMPORTED
            elif isinstance(node, ast.ImportFrom):
                named = {str(node.module).partition(".")[0]} & NEVER_IMPORTED
            elif isinstance(node, ast.Call):
                named = {ast.unparse(node.func)} & NEVER_CALLED
                named |= {"shell=True" for word in node.keywords if word.arg == "shell" and ast.unparse(word.value) != "False"}
                named |= {
                    "YAML().load" for part in [ast.unparse(node.func)] if part.startswith("YAML(") and part.endswith((".load", ".load_all"))
                }
            else:
                continue
            found += [f"{name}:{node.lineno}: {what}" for what in sorted(named - allowed)]

    assert found == []


def test_only_one_place_tells_a_peer_that_something_failed() -> None:
    """Errors become statuses in the interceptors' `status_of` and nowhere else, so that no exception's own words can reach a peer."""
    tells = {"abort", "abort_with_status", "set_details", "set_code", "set_trailing_metadata"}
    ours = re.compile(r"\w+\.abort_with_status\(rpc_status\.to_status\(status_of\(\w+\)\)\)")
    found = {
        path.relative_to(HOUSE).as_posix()
        for path in sorted((HOUSE / "fleet" / "server").rglob("*.py"))
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in tells
        if not ours.fullmatch(ast.unparse(node))
    }

    assert found == {"fleet/server/wire/interceptors.py"}
