"""
The console: a page on which operators see the fleet and steer it, served by a process of its own.

It is a client like any other. It asks the control server through the operators' SDK, and what it cannot ask it does not know; ended or
killed, it leaves the control loop as it was.
"""
