"""The input log, everything the core heard and answered, and its replay: the same inputs through the core again."""
