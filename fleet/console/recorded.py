"""
What `run.mcap` holds for the console beside the scene for Foxglove: what the server showed, in its own words.

Each channel carries one message of the wire, protobuf with its own descriptor in the file, so that Foxglove and every other reader of MCAP
opens it; times of the log are simulated nanoseconds from the start of the run, times within the messages are those of the simulated day.

    topic              message                       when
    /fleet/site        Site                          at the start, and again when another is in force
    /fleet/whole       FleetUpdate                   every `WHOLE_S`: all trucks
    /fleet/update      FleetUpdate                   every `UPDATE_S`: the trucks that changed
    /fleet/gates, /fleet/orders, /fleet/crossings, /fleet/lanes, /fleet/intrusions, /fleet/day
                       ListGatesResponse, ListTransportOrdersResponse, ListCrossingsResponse (the open ones), ListLanesResponse,
                       ListIntrusionsResponse, Day   where it changed, looked at every `LISTS_S`; the day every `DAY_S`
"""

from __future__ import annotations

from typing import Final

FILE: Final = "run.mcap"
SITE: Final = "/fleet/site"
WHOLE: Final = "/fleet/whole"
UPDATE: Final = "/fleet/update"
GATES: Final = "/fleet/gates"
ORDERS: Final = "/fleet/orders"
CROSSINGS: Final = "/fleet/crossings"
LANES: Final = "/fleet/lanes"
INTRUSIONS: Final = "/fleet/intrusions"
DAY: Final = "/fleet/day"

# Whoever looks at a moment reads the whole before it and the changes since: a seek costs this much of a run.
WHOLE_S: Final = 10
UPDATE_S: Final = 1
LISTS_S: Final = 5
DAY_S: Final = 60
