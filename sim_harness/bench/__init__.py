"""Measurements side by side: ours beside a reference, alternating, in one run. What counts is the ratio."""
