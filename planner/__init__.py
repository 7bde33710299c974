"""The pure part: arrays and values in, arrays and values out. Never waits, reads a clock, logs or draws chance."""
