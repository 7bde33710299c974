"""The simulator: a stranger to the server that speaks its protos, moves trucks by its own physics, and judges what it sees."""
