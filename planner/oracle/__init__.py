"""Slow plain twins of every kernel of `planner.kernels`, and the safety judge. Shares nothing with what it checks but the tables."""

from __future__ import annotations

from planner.oracle.judge import Judge, Objection

__all__ = ["Judge", "Objection"]
