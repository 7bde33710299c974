"""
The vocabulary of the log: one past-tense name per event, details in fields.

Nothing is logged per message on the 10 Hz path. `tests/test_house.py` holds the code against this list.
"""

from __future__ import annotations

import logging
import sys
import threading
from collections import Counter
from enum import StrEnum
from typing import Any, Final

import structlog


class Event(StrEnum):
    """Everything the log can say."""

    SERVER_STARTED = "server_started"
    SERVER_STOPPED = "server_stopped"
    EPOCH_BEGAN = "epoch_began"
    JOURNAL_RECOVERED = "journal_recovered"
    JOURNAL_DAMAGED = "journal_damaged"
    JOURNAL_APPEND_FAILED = "journal_append_failed"
    JOURNAL_SPACE_RETURNED = "journal_space_returned"
    SNAPSHOT_TAKEN = "snapshot_taken"
    TICK_MISSED = "tick_missed"
    INPUT_SHED = "input_shed"
    INPUT_LOG_BEHIND = "input_log_behind"
    INPUT_LOG_FAILED = "input_log_failed"
    JUDGE_OBJECTED = "judge_objected"
    TRUCK_REGISTERED = "truck_registered"
    TRUCK_SYNCED = "truck_synced"
    TRUCK_REFUSED = "truck_refused"
    TRUCK_FELL_SILENT = "truck_fell_silent"
    TRUCK_QUARANTINED = "truck_quarantined"
    TRUCK_HALTED = "truck_halted"
    GATE_OVERDUE = "gate_overdue"
    BAY_BLOCKED = "bay_blocked"
    BAY_MENDED = "bay_mended"
    TRUCK_DERATED = "truck_derated"
    TRUCK_PARTED = "truck_parted"
    STRETCH_DERATED = "stretch_derated"
    TRUCK_LEFT = "truck_left"
    TRUCK_EVENT_HEARD = "truck_event_heard"
    INTRUSION_SEEN = "intrusion_seen"
    INTRUSION_LOST = "intrusion_lost"
    INTRUSION_RELEASED = "intrusion_released"
    LINK_CONNECTED = "link_connected"
    LINK_LOST = "link_lost"
    LINK_RENEWED = "link_renewed"
    MESSAGE_REFUSED = "message_refused"
    ACCESS_REFUSED = "access_refused"
    CODE_REFUSED = "code_refused"
    COMMAND_ANSWERED = "command_answered"
    COMMAND_REFUSED = "command_refused"
    ALL_STOP_ORDERED = "all_stop_ordered"
    ALL_STOP_LIFTED = "all_stop_lifted"
    SITE_PROPOSED = "site_proposed"
    SITE_WITHDRAWN = "site_withdrawn"
    SITE_SWITCHED = "site_switched"
    SITE_FILE_KEPT = "site_file_kept"
    SITE_FILE_LOST = "site_file_lost"
    SITE_NOT_KEPT = "site_not_kept"
    PLAINTEXT_SERVED = "plaintext_served"
    CERTIFICATES_SERVED = "certificates_served"
    CERTIFICATES_CHANGED = "certificates_changed"
    CERTIFICATES_UNUSABLE = "certificates_unusable"
    CERTIFICATE_ENDS = "certificate_ends"
    IDENTITY_CUT = "identity_cut"
    KERNELS_WARMED = "kernels_warmed"
    PLANNING_FAILED = "planning_failed"
    REQUEST_FAILED = "request_failed"
    METRICS_SERVED = "metrics_served"
    TRACES_SENT = "traces_sent"
    TRACES_LOST = "traces_lost"
    HEALTH_FAILED = "health_failed"
    DISK_UNREADABLE = "disk_unreadable"
    CONSOLE_STARTED = "console_started"
    CONSOLE_LINE_BEGAN = "console_line_began"
    CONSOLE_LINE_LOST = "console_line_lost"
    ALARM_ACKNOWLEDGED = "alarm_acknowledged"


def configure(*, json_lines: bool | None = None) -> None:
    """Sets structlog up once per process: readable on a terminal, JSON lines in a pipe."""
    plain = sys.stderr.isatty() if json_lines is None else not json_lines
    renderer: Any = structlog.dev.ConsoleRenderer() if plain else structlog.processors.JSONRenderer(sort_keys=True)
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )


_ALARMS: Final[Counter[str]] = Counter()
_COUNTING: Final = threading.Lock()  # alarms come from every thread, and rarely


def alarm_counts() -> dict[str, int]:
    """Alarms of this process since its start, by event."""
    with _COUNTING:
        return dict(_ALARMS)


class Log:
    """A named logger that speaks only the declared vocabulary."""

    def __init__(self, name: str) -> None:
        self._logger = structlog.get_logger(name)

    def fact(self, event: Event, /, **fields: Any) -> None:
        """Something happened."""
        self._logger.info(event.value, **fields)

    def alarm(self, event: Event, /, **fields: Any) -> None:
        """Something happened that a person must look at."""
        with _COUNTING:
            _ALARMS[event.value] += 1
        self._logger.error(event.value, **fields)
