"""libvirt's wire protocol, without I/O: bytes in, events out.

`xdr` declares structs and `codegen` compiles their codecs; `types` holds the structs that many procedures share.
`procedure` says what a procedure is, `procedures` has the tables, `programs` the programs that they make up. `packet`
cuts bytes into packets; `server` and `client` are the two sides of a connection over it; `keepalive` decides when a
silent peer is dead.
"""
