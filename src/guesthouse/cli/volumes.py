"""The storage volume that a command is about."""

from __future__ import annotations

from guesthouse.cli.failure import CommandError
from guesthouse.cli.grammar import Option
from guesthouse.cli.pools import named
from guesthouse.errors import Code, LibvirtError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from guesthouse.cli.context import Context
    from guesthouse.cli.grammar import Arguments
    from guesthouse.client.pools import Pool
    from guesthouse.client.volumes import Volume

#: A size as virsh reads it; the same everywhere in these commands.
SIZE = "a number of bytes, or with a unit (10G, 512MiB)"


def volume(help_text: str = "the volume: its name, key or path") -> Option:
    """The option that names it."""
    return Option("vol", "string", help_text, required=True, positional=True, complete="volume")


def pool_of_it() -> Option:
    """The option that names the pool that it is in."""
    return Option("pool", "string", "the pool that it is in: its name or UUID", positional=True, complete="pool")


def find(context: Context, args: Arguments, option: str = "vol", pool_option: str | None = "pool") -> Volume:
    """The volume that an option names, in the pool that the other one names if it does.

    Raises LibvirtError where there is none, after having said so, and CommandError for one of another pool.
    """
    name = args.need(option)
    pool = None
    if pool_option is not None and args.text(pool_option) is not None:
        pool = named(context, args.need(pool_option))
        if not pool.is_active():
            raise CommandError(f"pool '{args.need(pool_option)}' is not active")
    found = _find(context, name, pool, None if pool is not None else pool_option)
    if pool is not None and found.pool != pool.name:
        raise CommandError(f"Requested volume '{name}' is not in pool '{pool.name}'")
    return found


def _find(context: Context, name: str, pool: Pool | None, pool_option: str | None) -> Volume:
    from guesthouse.client.volumes import by_key, by_name, by_path

    if pool is not None:
        try:
            return by_name(pool, name)
        except LibvirtError as error:
            context.note(error)
    try:
        return by_key(context.connection, name)
    except LibvirtError as error:
        context.note(error)
    better = "" if pool_option is None else f", specifying --{pool_option} might help"
    with context.during(f"failed to get vol '{name}'{better}"):
        return by_path(context.connection, name)


def size(context: Context, text: str) -> int:
    """A size in bytes. Raises LibvirtError for a unit that there is not, after having said so, and CommandError."""
    from guesthouse.cli.scaled import scaled

    plain = text.lstrip().removeprefix("+")
    try:
        return scaled(plain, "capacity", 1)
    except CommandError:
        unit = plain.lstrip("0123456789")
        if unit == plain:
            raise CommandError(f"Malformed size {text}") from None
    with context.during(f"Malformed size {text}"):
        raise LibvirtError(f"unknown suffix '{unit}'", code=Code.INVALID_ARG)
