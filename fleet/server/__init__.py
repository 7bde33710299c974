"""The control server: pure machines inside, sockets, files and time around them."""
