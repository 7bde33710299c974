"""
Every bound on how much peers may send, hold or wait for, and the asserts that the bounds fit together.

What is decided by them: one peer, whoever it is, costs the server a bounded share of its time and memory, and what must not wait for
anybody (a stop) is held back by none of them. Bounds of the road and of the trucks are in `planner.limits`, of single fields where they
are read.
"""

from __future__ import annotations

from typing import Final

from planner.limits import HEARTBEAT_PERIOD_MS, INTRUSIONS_MAX, REPORT_PERIOD_MIN_MS, SILENCE_FAULT_MS, TICK_PERIOD_NS, TRUCKS_MAX

TICKS_PER_S: Final = 1_000_000_000 // TICK_PERIOD_NS

# Messages; larger ones are refused before they are parsed. Compressed ones are refused whatever their size: a thousand bytes may
# unpack to a million, and our messages are numbers that compression hardly shortens.
REQUEST_BYTES_MAX: Final = 65_536
FRAME_BYTES_MAX: Final = 1 << 20  # a gateway's frame: the reports of every truck at once
SITE_BYTES_MAX: Final = 1 << 20  # a site file
RECEIVE_BYTES_MAX: Final = 1 << 20  # what the transport takes in at all
METADATA_BYTES_MAX: Final = 8192
# Taken from a connection at once. By itself the transport takes up to 4 MiB: tens of thousands of streams begun and reset, all in memory
# at one moment.
READ_BYTES_MAX: Final = 65_536

# Connections and streams.
LINKS_MAX: Final = 2 * TRUCKS_MAX  # a reconnect overlaps its predecessor
CONNECTIONS_MAX: Final = LINKS_MAX + 100
FILES_SPARE: Final = 128  # kept from connections: journal, logs, libraries, and the next accept
HANDSHAKE_WITHIN_MS: Final = 3000  # a connection that has not said by then which protocol it speaks is cut
CONNECTION_IDLE_MAX_MS: Final = 60_000  # one without any call; a client that calls again connects again
STREAMS_PER_CONNECTION_MAX: Final = 128  # a test bench has its trucks on one connection; each call of a burst is work at that moment
STREAMS_PER_TRUCK_MAX: Final = 4  # the present one, its successor, and two that nobody has noticed to be dead
STREAMS_PER_PERSON_MAX: Final = 32  # screens of one person, and consoles that watch for many
HELLO_WITHIN_S: Final = 3.0  # a stream of a truck or a gateway that has not said by then who it is is ended
WRITE_WITHIN_S: Final = 10.0  # a reader that does not take one message in this time is cut off; it hears everything anew when it calls

# Requests that are answered once, of one person or program.
CALLS_PER_S: Final = 50.0
CALLS_BURST: Final = 20  # what a console asks when it opens
HELD_BACK_MAX_S: Final = 1.0  # a request too many waits this long for its turn, and is refused only then: whoever floods waits most
REFUSALS_PER_S: Final = 100.0  # of one peer; refusals cost too, and many at the same moment would hold everybody up
ANSWER_WITHIN_S: Final = 30.0  # the server's own deadline, whatever the client's

# Messages on streams, counted by ticks. Whoever says more is not read on until his turn comes, and the transport holds him back.
MESSAGES_PER_TICK_MAX: Final = 5  # of one stream
MESSAGES_BURST: Final = 60  # what a truck may have kept to say while it had no line, at once
PEER_MESSAGES_PER_TICK_MAX: Final = 150  # of one peer on all its streams
PEER_MESSAGES_BURST: Final = 1500

# Queues between the streams and the loop, each emptied once a tick.
INPUTS_MAX: Final = 20_000
PLANNING_INPUTS_MAX: Final = INPUTS_MAX // 2  # beyond it no more is planned: orders wait, what grants rest on does not
BEHIND_PLANNING_TICKS: Final = 2 * TICKS_PER_S  # nor when so many ticks have lately come too late
BEHIND_TICKS_MAX: Final = 2 * BEHIND_PLANNING_TICKS  # more are not counted: as many must come in time again, however long it was
REPORTS_MAX: Final = 20_000
FRAMES_MAX: Final = 256
READS_WAITING_MAX: Final = 1000
READS_PER_TICK_MAX: Final = 64
PAGE_ROWS: Final = 100  # of one answer, when nobody asks for a number
PAGE_ROWS_MAX: Final = 1000
READS_PER_TICK_NS: Final = TICK_PERIOD_NS // 4  # reads may use this much of a tick; one is served however long it takes

# What waits for one reader.
ROUTES_WAITING_MAX: Final = 4
STOPS_WAITING_MAX: Final = 2 * INTRUSIONS_MAX
CALLS_WAITING_MAX: Final = 10_000

SAY_SHED_EVERY_S: Final = 10.0  # how often the log says what was shed

# The server's own health.
HEALTH_EVERY_S: Final = 1.0  # how often it is gathered; whoever asks is told what was found last
ALIVE_WITHIN_S: Final = 5.0  # ticks that stay away so long have stopped; a machine that is only busy has been seen to stall for three
SCRAPES_MAX: Final = 8  # connections at once to the address of metrics: a scraper needs one
SCRAPE_WITHIN_S: Final = 5.0  # one that has not asked and been answered by then is cut off

assert max(REQUEST_BYTES_MAX, FRAME_BYTES_MAX, SITE_BYTES_MAX) <= RECEIVE_BYTES_MAX
assert METADATA_BYTES_MAX <= REQUEST_BYTES_MAX
assert METADATA_BYTES_MAX <= READ_BYTES_MAX
# A gateway may stand before all trucks: a report in columns has 124 bytes.
assert FRAME_BYTES_MAX >= 124 * TRUCKS_MAX
assert CONNECTIONS_MAX >= LINKS_MAX >= 2 * TRUCKS_MAX
assert STREAMS_PER_TRUCK_MAX >= 2 + SILENCE_FAULT_MS // 1000
assert STREAMS_PER_TRUCK_MAX <= STREAMS_PER_PERSON_MAX <= STREAMS_PER_CONNECTION_MAX
# A silent connection is gone before its stream would have had to say hello a second time.
assert HANDSHAKE_WITHIN_MS <= 1000 * HELLO_WITHIN_S < CONNECTION_IDLE_MAX_MS
# Who does not read for so long has long been silent, and has stopped.
assert 1000 * WRITE_WITHIN_S > 2 * SILENCE_FAULT_MS
# A truck that reports as fast as it may, and answers each heartbeat and each word beside, is never held back.
assert MESSAGES_PER_TICK_MAX * TICKS_PER_S >= 3 * (1000 // REPORT_PERIOD_MIN_MS + 1000 // HEARTBEAT_PERIOD_MS)
assert MESSAGES_BURST > MESSAGES_PER_TICK_MAX
# A test bench whose trucks report at every tick on one connection is not held back either.
assert PEER_MESSAGES_PER_TICK_MAX >= STREAMS_PER_CONNECTION_MAX
assert PEER_MESSAGES_BURST >= STREAMS_PER_CONNECTION_MAX * MESSAGES_PER_TICK_MAX
assert HELD_BACK_MAX_S < ANSWER_WITHIN_S
# Every truck's burst of a moment and a tick of commands fit the inbox.
assert 2 * TRUCKS_MAX + CALLS_BURST <= PLANNING_INPUTS_MAX < INPUTS_MAX
assert TRUCKS_MAX * MESSAGES_PER_TICK_MAX <= REPORTS_MAX
assert BEHIND_PLANNING_TICKS < BEHIND_TICKS_MAX
# Trucks have long stopped by themselves when a server counts as dead, and it is gathered often enough to be seen.
assert 1000 * ALIVE_WITHIN_S > 2 * SILENCE_FAULT_MS
assert ALIVE_WITHIN_S > 2 * HEALTH_EVERY_S
assert PAGE_ROWS <= PAGE_ROWS_MAX
assert READS_PER_TICK_NS < TICK_PERIOD_NS
assert READS_PER_TICK_MAX < READS_WAITING_MAX


def connections_max(files: int) -> int:
    """How many connections a process may take that may open *files*: accepting one too many would leave none for the journal."""
    return max(min(CONNECTIONS_MAX, files - FILES_SPARE), 1)
