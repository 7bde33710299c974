"""
Is what the server says of a standing truck true? Asked at moments drawn from a seed, in runs in which things go wrong, and judged by the
simulator's own knowledge: where bodies are, what stands open, who was told to stop, whose radio is dead.

`world` keeps what is true, `claims` holds one link against it, `judge` a whole chain, `runs` draws the runs and the moments.
"""
