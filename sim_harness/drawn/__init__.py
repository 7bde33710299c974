"""
Sites and loads drawn from a seed: roads that nobody thought of, for trucks to get stuck on.

A seed gives a site file and a scenario file, and nothing else decides what stands in them (`draw`, with its `yards` and its `road`).
`rounds` runs many of them over processes, and says how many were served to the end.
"""
