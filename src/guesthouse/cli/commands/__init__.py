"""The commands, one module a group; each module's `COMMANDS` is its table of records."""
