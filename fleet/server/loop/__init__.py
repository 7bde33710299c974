"""The control loop and its machines: hear, believe, decide, judge, and only then speak. Pure: no wire, clock or thread."""
