"""What the server knows of its own health: gathered once a second beside the control loop, told on the wire and to whoever scrapes."""
