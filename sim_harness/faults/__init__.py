"""
Faults as data: what may go wrong, when it does, what must then be seen, and how it ends.

`kinds` is the table of everything that can be broken; `spec` is one fault as a scenario, a campaign or a caller at run time
states it; `draw` draws faults from a seed; the other modules let them happen and watch that the safe state is reached.
"""
