"""
Campaigns: many seeds and many faults, run over processes, and what is left of them.

A campaign draws runs (`search`), hands them to worker processes (`crew`, `worker`), keeps of each what `outcome` says, makes
each failure as small as it can while it still fails the same way (`shrink`), writes the line that replays it (`trial`), runs
it again with a recording, and counts everything (`figures`, `table`). `campaign` is where they meet.

What comes out depends on the commit and the plan alone: not on how many processes there were, nor on which was quicker.
"""
