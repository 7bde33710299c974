"""The append-only, chained and fenced record of every decision, and the files it lives in."""
