"""The `fleet` command; each sub-command is an entry point, loaded only when called."""
