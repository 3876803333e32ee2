"""The connect driver: calls about the host and about what its guests could be, not about any one guest.

`procedures` translates the protocol's calls, `node` answers in numbers, `emulators` knows the installed QEMUs,
`processors` names and compares processors, `host_document` and `guest_document` write the two capabilities documents.
"""
