"""
Looking ahead beside the loop: in which order the trucks of the next minutes had best take the zones that several of them want.

Every few seconds the fleet as one tick left it (`seen`) becomes a task for the timetable (`outlook`): the zones and gates on each truck's
known way with least times, what trucks hold as begun, and an order of trucks that follow one another, which nobody can change.
The search's plan becomes `Turns`: for each contested zone who goes first, who next, and when.

What spacing makes of it is advice, and no more (see `planner.kernels.spacing`): the truck whose turn is next and that is nearly there is
treated as if it had waited longest. It enters when the zone is free, as it would without; others on other branches wait for it as
they do for an older claim. Nobody gets in who could not get in if he had come first. Four things bound what advice can do:

    it begins LEAD_S before the planned entry and ends SLACK_S after it, whoever came or did not come;
    turns older than STALE_S are none: then whoever comes first goes first, as where nothing is said;
    a claim older than ELDER_S comes before any advice, so that nobody waits for advice longer than that;
    a truck that may not drive, or whose way has changed, is next nowhere.

So a plan that is missing, stale, wrong or circular costs seconds, and never a deadlock: an end of authority still passes a chain of
zones whole or not at all, and who holds a zone still waits for nobody.

**Kept or taken.** A plan is taken only where it serves all trucks of the task, and is better than the turns in force, settled anew from
where the trucks are now, and than first come, first served by GAIN_MIN_S at least. Else the turns in force are kept, and where they
gain nothing either, there is no advice. One-lane sections, where batches pass, are not advised: see `planner.sections`.

**What it is worth.** So far nothing: at ganqimaodu and manzhouli hardly anybody waits for a zone without it, and a quarter of an hour of the proving
ground (seed 1) is the same to the last bit. While its ranks also ended and filled the batches of one-lane sections, it did harm: trucks
stood 10,083 s before the zones of one_lane in its first hour (seed 1), 2,226 without any plan and 2,122 with one that leaves the batches
alone. It is off unless asked for.

**When.** Turns are an input of the loop like any other, so a log of inputs replays them without planning again. In simulated time they are
made at fixed ticks and heard a fixed number of ticks later; a real server plans in a thread of its own, in kernels without the
interpreter's lock, and hears them at the beginning of the first tick after.
"""

from __future__ import annotations

from typing import Final

HORIZON_S: Final = 240.0  # of the ways that are planned; what is further off is planned again many times before it matters
CONTEST_S: Final = 60.0  # two trucks whose unhindered entries lie further apart do not contest a zone
LEAD_S: Final = 10.0  # a truck claims a zone some seconds before its nose is there
SLACK_S: Final = 6.0  # what a truck may be late before the next one need not wait for it
STALE_S: Final = 20.0
ELDER_S: Final = 30.0
GAIN_MIN_S: Final = 3.0  # of all trucks together; less is below what a model of minutes ahead can tell

# A truck that waits for one that does not come has waited no longer than an elder when it need not any more.
assert LEAD_S + SLACK_S < ELDER_S
assert SLACK_S < STALE_S < HORIZON_S
