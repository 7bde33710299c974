"""`fleet doctor`: can this machine run the server? Each check says what it found and, if bad, what to do."""

from __future__ import annotations

import importlib
import json
import os
import shutil
import socket
import sqlite3
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Final

import typer

DISK_FREE_MIN_BYTES: Final = 1 << 30  # a day of journal for a hundred trucks, with room to notice
FSYNC_HONEST_MIN_S: Final = 5e-6  # nothing that keeps data is quicker; a RAM disk is
SYNC_COUNT: Final = 20
PORTS_LENT: Final = Path("/proc/sys/net/ipv4/ip_local_port_range")
PORTS_RESERVED: Final = Path("/proc/sys/net/ipv4/ip_local_reserved_ports")

app = typer.Typer(add_completion=False, help="Check that this machine can run the server. Example: fleet doctor --data ./data")


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One check and what came of it."""

    check: str
    sound: bool
    found: str
    advice: str = ""


def _python() -> Finding:
    found = ".".join(map(str, sys.version_info[:3]))
    return Finding(check="python", sound=sys.version_info >= (3, 11), found=found, advice="Install Python 3.11 or newer.")


def _packages() -> Iterator[Finding]:
    for name in ("grpc", "google.protobuf", "structlog", "numpy", "numba", "scipy", "pydantic", "shapely", "cryptography"):
        try:
            module = importlib.import_module(name)
        except ImportError as missing:
            yield Finding(
                check=f"package {name}", sound=False, found=str(missing), advice="Run `make setup`, or pip install 'khulan[server]'."
            )
        else:
            yield Finding(check=f"package {name}", sound=True, found=str(getattr(module, "__version__", "present")))


def _clock() -> Finding:
    resolution_s = time.get_clock_info("monotonic").resolution
    return Finding(
        check="monotonic clock",
        sound=resolution_s <= 1e-3,
        found=f"{resolution_s:g} s resolution",
        advice="Use a kernel clock finer than 1 ms.",
    )


def _disk(folder: Path) -> Finding:
    free = shutil.disk_usage(folder).free
    return Finding(
        check="disk space", sound=free >= DISK_FREE_MIN_BYTES, found=f"{free / 1e9:.1f} GB free at {folder}", advice="Free at least 1 GB."
    )


def _fsync(folder: Path) -> Finding:
    with tempfile.NamedTemporaryFile(dir=folder, prefix=".doctor-") as probe:
        took: list[float] = []
        for _ in range(SYNC_COUNT):
            probe.write(b"x" * 4096)
            probe.flush()
            began = time.perf_counter()
            os.fsync(probe.fileno())
            took.append(time.perf_counter() - began)
    median_s = sorted(took)[SYNC_COUNT // 2]
    return Finding(
        check="fsync",
        sound=median_s >= FSYNC_HONEST_MIN_S,
        found=f"{median_s * 1e3:.2f} ms median",
        advice="This disk answers before it can have written: a power cut may lose grants. Use another for --data.",
    )


def _sqlite() -> Finding:
    with closing(sqlite3.connect(":memory:")) as connection:
        found = str(connection.execute("select sqlite_version()").fetchone()[0])
    sound = tuple(map(int, found.split("."))) >= (3, 37, 0)
    return Finding(check="sqlite", sound=sound, found=found, advice="Needs SQLite 3.37 or newer (STRICT tables).")


def _port(listen: str) -> Finding:
    host, _, port = listen.rpartition(":")
    with closing(socket.socket()) as probe:
        try:
            probe.bind((host, int(port)))
        except (ValueError, OverflowError):
            return Finding(check="port", sound=False, found=f"{listen!r} is no address", advice="Say --listen HOST:PORT.")
        except OSError as busy:
            return Finding(
                check="port", sound=False, found=f"{listen}: {busy.strerror}", advice="Another server runs, or choose --listen HOST:PORT."
            )
    lent = " now; to be sure of it when the server comes back, name it in net.ipv4.ip_local_reserved_ports" if _is_lent(int(port)) else ""
    return Finding(check="port", sound=True, found=f"{listen} is free{lent}")


def _is_lent(port: int) -> bool:
    """Whether the kernel may give the port to any program that asks for one, while no server listens on it."""
    if not (PORTS_LENT.is_file() and PORTS_RESERVED.is_file()):
        return False
    first, last = map(int, PORTS_LENT.read_text("ascii").split())
    reserved = [part.partition("-") for part in PORTS_RESERVED.read_text("ascii").strip().split(",") if part]
    return first <= port <= last and not any(int(low) <= port <= int(high or low) for low, _, high in reserved)


def _certificates(folder: Path) -> Iterator[Finding]:
    from fleet.clock import SystemClock  # noqa: PLC0415 - cryptography is loaded only when there is something to look at
    from fleet.pki.examine import examine as look  # noqa: PLC0415

    for seen in look(folder, SystemClock().utc()):
        yield Finding(check=f"tls {seen.what}", sound=seen.sound, found=seen.found, advice=seen.advice)


def examine(folder: Path, listen: str, tls: Path | None = None) -> list[Finding]:
    """Runs every check; *folder* is where the journal would live, *listen* the address to serve, *tls* a folder with certificates."""
    checks: list[Callable[[], Finding]] = [_python, _clock, lambda: _disk(folder), lambda: _fsync(folder), _sqlite, lambda: _port(listen)]
    certificates = () if tls is None else _certificates(tls)
    return [*(check() for check in checks), *_packages(), *certificates]


@app.command()
def doctor(
    data: Annotated[Path, typer.Option(help="Folder of the journal.")] = Path(),
    listen: Annotated[str, typer.Option(help="Address to serve.")] = "127.0.0.1:50051",
    tls: Annotated[Path | None, typer.Option(help="Folder with certificates, a server's or one that somebody carries.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print data.")] = False,
) -> None:
    """
    Checks Python, packages, clock, disk, fsync, SQLite, the port and certificates; exits 1 when one is bad.

    Example: fleet doctor --data ./data
    """
    if not data.is_dir():
        typer.echo(f"fleet doctor: {data} is not a folder. Create it or name another with --data.", err=True)
        raise typer.Exit(2)
    findings = examine(data, listen, tls)
    if as_json:
        typer.echo(json.dumps([asdict(finding) for finding in findings], indent=2))
    else:
        for finding in findings:
            mark = "ok " if finding.sound else "BAD"
            typer.echo(f"{mark}  {finding.check}: {finding.found}" + ("" if finding.sound else f". {finding.advice}"))
    if not all(finding.sound for finding in findings):
        raise typer.Exit(1)
