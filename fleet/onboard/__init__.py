"""The truck SDK: connect, report, receive, and stay inside the authority held. Runs without numpy and numba."""
