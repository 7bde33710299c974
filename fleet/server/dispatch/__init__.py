"""The desk: orders, missions, crossings, stands, gates and opening hours, and why a truck stands. Pure."""
