"""New volumes: `vol-create`, `vol-create-as`, `vol-create-from`, `vol-clone`."""

from __future__ import annotations

from guesthouse.cli.grammar import Command, Option, file, flag
from guesthouse.cli.pools import escaped, pool
from guesthouse.cli.pools import find as find_pool
from guesthouse.cli.volumes import SIZE, find, pool_of_it, size, volume
from guesthouse.errors import LibvirtError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from guesthouse.cli.context import Context
    from guesthouse.cli.grammar import Arguments
    from guesthouse.client.connection import Connection
    from guesthouse.client.pools import Pool
    from guesthouse.client.volumes import Volume

_PREALLOCATE = flag("prealloc-metadata", "prepare a qcow2 image for its whole size, without taking it")
_REFLINK = flag("reflink", "share the blocks of the other, or fail")
_VALIDATE = flag("validate", "and check it against the schema")
_PRINT = flag("print-xml", "print the document instead")


def _flags(args: Arguments) -> int:
    from guesthouse.client.volumes import PREALLOCATE_METADATA, REFLINK, VALIDATE

    bits = {"prealloc-metadata": PREALLOCATE_METADATA, "reflink": REFLINK, "validate": VALIDATE}
    return sum(bit for name, bit in bits.items() if args.has(name))


def _made(context: Context, connection: Connection, serial: int, into: Pool, xml: str, label: str) -> Volume:
    """Wait for a new volume, and show how far it is."""
    from guesthouse.cli.progress import watch
    from guesthouse.client.volumes import made

    watch(context, connection, serial, into.name, _name_in(xml), label)
    return made(connection, serial)


def _name_in(xml: str) -> str:
    """The name that a document gives; only for looking how far it is."""
    from xml.sax.saxutils import unescape

    return unescape(xml.partition("<name>")[2].partition("</name>")[0])


def _say(context: Context, args: Arguments, made: Volume, text: str) -> None:
    if args.has("json"):
        context.dump({"name": made.name, "pool": made.pool, "key": made.key})
    else:
        context.remark(text)


def run_create(context: Context, args: Arguments) -> None:
    """Make a volume from a document."""
    from guesthouse.cli.files import read_document
    from guesthouse.client.volumes import submit_create

    found = find_pool(context, args)
    path = args.need("file")
    xml = read_document(path)
    with context.during(f"Failed to create vol from {path}"):
        made = _made(context, found.connection, submit_create(found, xml, _flags(args)), found, xml, "create")
    _say(context, args, made, f"Vol {made.name} created from {path}\n")


def run_create_as(context: Context, args: Arguments) -> None:
    """Make a volume from options."""
    from guesthouse.client.volumes import submit_create

    found = find_pool(context, args)
    name = args.need("name")
    xml = _document(context, args, found, name)
    if args.has("print-xml"):
        context.print(xml)
        return
    with context.during(f"Failed to create vol {name}"):
        made = _made(context, found.connection, submit_create(found, xml, _flags(args)), found, xml, "create")
    _say(context, args, made, f"Vol {name} created\n")


def _document(context: Context, args: Arguments, found: Pool, name: str) -> str:
    lines = [
        "<volume>",
        f"  <name>{escaped(name)}</name>",
        f"  <capacity>{size(context, args.need('capacity'))}</capacity>",
    ]
    allocation = args.text("allocation")
    if allocation is not None:
        lines.append(f"  <allocation>{size(context, allocation)}</allocation>")
    format_ = args.text("format")
    if format_ is not None:
        lines += ["  <target>", f"    <format type='{escaped(format_)}'/>", "  </target>"]
    backing = args.text("backing-vol")
    if backing is not None:
        lines += ["  <backingStore>", f"    <path>{escaped(_backing(context, found, backing))}</path>"]
        below = args.text("backing-vol-format")
        if below is not None:
            lines.append(f"    <format type='{escaped(below)}'/>")
        lines.append("  </backingStore>")
    return "\n".join([*lines, "</volume>", ""])


def _backing(context: Context, found: Pool, name: str) -> str:
    """The path of the volume that the new one lies on, named by its name, key or path."""
    from guesthouse.client.volumes import by_key, by_name, by_path

    try:
        return by_name(found, name).path()
    except LibvirtError as error:
        context.note(error)
    try:
        return by_key(found.connection, name).path()
    except LibvirtError as error:
        context.note(error)
    with context.during(f"failed to get vol '{name}'"):
        return by_path(found.connection, name).path()


def run_create_from(context: Context, args: Arguments) -> None:
    """Make a volume from a document, with the content of another."""
    from guesthouse.cli.files import read_document
    from guesthouse.client.volumes import submit_copy

    found = find_pool(context, args)
    path = args.need("file")
    source = find(context, args, "vol", "inputpool")
    xml = read_document(path)
    with context.during(f"Failed to create vol from {path}"):
        made = _made(context, found.connection, submit_copy(found, xml, source, _flags(args)), found, xml, "copy")
    _say(context, args, made, f"Vol {made.name} created from input vol {source.name}\n")


def run_clone(context: Context, args: Arguments) -> None:
    """Copy a volume within its pool."""
    from guesthouse.client.volumes import submit_copy

    source = find(context, args)
    with context.during("failed to get parent pool"):
        parent = source.parent()
    xml = _renamed(source.xml(), args.need("newname"))
    if args.has("print-xml"):
        context.print(xml)
        return
    with context.during(f"Failed to clone vol from {source.name}"):
        made = _made(context, source.connection, submit_copy(parent, xml, source, _flags(args)), parent, xml, "clone")
    _say(context, args, made, f"Vol {made.name} cloned from {source.name}\n")


def _renamed(xml: str, name: str) -> str:
    """The document of a volume with another name."""
    from guesthouse.cli import xmltool

    root = xmltool.parse(xml)
    node = root.find("name")
    if node is not None:
        node.text = name
    return xmltool.serialized(root)


_SHAPE = "{name, pool, key}"

COMMANDS = (
    Command(
        "vol-create",
        "volume",
        "make a volume from a document",
        run_create,
        (pool(), file("its document"), _PREALLOCATE, _VALIDATE),
        description="Make a volume as a document describes it.",
        shape=_SHAPE,
    ),
    Command(
        "vol-create-as",
        "volume",
        "make a volume",
        run_create_as,
        (
            pool(),
            Option("name", "string", "its name", required=True, positional=True),
            Option("capacity", "string", f"its size: {SIZE}", required=True, positional=True),
            Option("allocation", "string", "how much of it takes its place on the storage at once"),
            Option("format", "string", "its format", complete="raw qcow2 qed vmdk vdi vpc vhd qcow dir"),
            Option("backing-vol", "string", "the volume that it lies on: its name, key or path"),
            Option("backing-vol-format", "string", "the format of that one", complete="raw qcow2 qed vmdk"),
            _PREALLOCATE,
            _PRINT,
        ),
        description="Make a volume of a size and a format. Without --allocation a raw one takes its whole size at "
        "once.",
        shape=_SHAPE,
    ),
    Command(
        "vol-create-from",
        "volume",
        "make a volume with the content of another",
        run_create_from,
        (
            pool("the pool of the new volume: its name or UUID"),
            file("the document of the new volume"),
            volume("the volume that is copied: its name, key or path"),
            Option("inputpool", "string", "the pool of that one: its name or UUID", complete="pool"),
            _PREALLOCATE,
            _REFLINK,
            _VALIDATE,
        ),
        description="Make a volume as a document describes it, with the content of another volume, which may be in "
        "another pool and of another format.",
        shape=_SHAPE,
    ),
    Command(
        "vol-clone",
        "volume",
        "copy a volume",
        run_clone,
        (
            volume(),
            Option("newname", "string", "the name of the copy", required=True, positional=True),
            pool_of_it(),
            _PREALLOCATE,
            _REFLINK,
            _PRINT,
        ),
        description="Copy a volume within its pool. Where the file system can, a raw copy shares its blocks.",
        shape=_SHAPE,
    ),
)
