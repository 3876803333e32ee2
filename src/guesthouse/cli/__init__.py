"""The `guest` command: virsh's commands, options and output, over `guesthouse.client`.

The way of one command line: `main` takes the options before the command, `tokens` cuts a typed line into words,
`grammar` turns words into `Arguments` after the command's record, which `index` and `registry` find, and the record's
`run` does the work through a `Context`. One module of `commands` holds one group of commands.

What `guest list` imports is kept small on purpose: start-up is most of what a person waits for. A test pins the
modules that it loads.
"""
