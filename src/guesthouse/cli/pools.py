"""The storage pool that a command is about, and what several commands say of pools."""

from __future__ import annotations

from guesthouse.cli.context import uuid_bytes
from guesthouse.cli.failure import CommandError
from guesthouse.cli.grammar import Option, flag
from guesthouse.cli.persistent import Kind
from guesthouse.errors import LibvirtError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from guesthouse.cli.context import Context
    from guesthouse.cli.grammar import Arguments
    from guesthouse.client.pools import Pool

#: The types that a pool can have, for the completion.
TYPES = "dir fs netfs logical disk iscsi iscsi-direct scsi mpath rbd sheepdog gluster zfs vstorage"

#: The options of the commands that build a pool before they start it.
BUILDING = (
    flag("build", "build the pool first"),
    flag("no-overwrite", "build it only if nothing is lost by that"),
    flag("overwrite", "build it, whatever is lost by that"),
)


def pool(help_text: str = "the pool: its name or UUID") -> Option:
    """The option that names it."""
    return Option("pool", "string", help_text, required=True, positional=True, complete="pool")


def find(context: Context, args: Arguments, by: str = "un") -> Pool:
    """The pool that `--pool` names. See `named`."""
    return named(context, args.need("pool"), by)


def named(context: Context, name: str, by: str = "un") -> Pool:
    """The pool of this UUID or name, tried in this order; `by` leaves one out.

    Raises LibvirtError where there is none, after having said so, and CommandError for what is no UUID.
    """
    from guesthouse.client.pools import by_name, by_uuid

    uuid = uuid_bytes(name) if "u" in by and len(name) == 36 else None
    if uuid is not None:
        try:
            return by_uuid(context.connection, uuid)
        except LibvirtError as error:
            context.note(error)
            if "n" not in by:
                context.error(f"failed to get pool '{name}'")
                raise
    if "n" not in by:
        raise CommandError(f"failed to get pool '{name}'")
    with context.during(f"failed to get pool '{name}'"):
        return by_name(context.connection, name)


def start_flags(args: Arguments) -> int:
    """What the options of `BUILDING` mean. Raises CommandError where they contradict each other."""
    from guesthouse.client.pools import WITH_BUILD, WITH_BUILD_NO_OVERWRITE, WITH_BUILD_OVERWRITE

    args.exclusive("overwrite", "no-overwrite")
    bits = {"build": WITH_BUILD, "overwrite": WITH_BUILD_OVERWRITE, "no-overwrite": WITH_BUILD_NO_OVERWRITE}
    return sum(bit for name, bit in bits.items() if args.has(name))


def escaped(text: str) -> str:
    """A text as it stands in an attribute or an element of XML."""
    for character, reference in (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;"), ("'", "&apos;"), ('"', "&quot;")):
        text = text.replace(character, reference)
    return text


#: What the commands about pools share with those about networks.
KIND = Kind("pool", find)
