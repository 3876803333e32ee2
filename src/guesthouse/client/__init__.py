"""The client: connection URIs, the unix transport, a blocking and an asyncio shell over `guesthouse.rpc`.

`connection.Connection` is the blocking shell that the command uses: `Connection.open` gives one, its methods and those
of `domain.Domain` make the calls. `aio.AsyncConnection` is its twin in an event loop. Both speak to guesthoused and to
libvirtd alike. `uri` decides where a URI leads; `settings` reads `libvirt.conf`.
"""
