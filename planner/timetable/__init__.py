"""
Who takes each shared resource in which order, and when: a plan that cannot deadlock, and the anytime search behind it.

The problem is a blocking job-shop without swaps: trucks take paths through operations, an operation holds resources, and a
truck lets go of what it holds only when it has what it needs next. `task` says the problem, `Timetable` finds and improves
plans, a `Plan` is an order of events whose times follow, and `Precedence` is that order as an acyclic graph whose arcs can be
switched. Times are whole numbers in a unit of the caller's choice.

Kernels here have no slow twins: what a search should find is not one value. Its plans are judged instead: by rules that share
nothing with it, by their order as a plain graph, whose earliest times theirs must be, and on small tasks by trying every order
of events.
"""
