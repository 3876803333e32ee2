"""Pools from options instead of a document: `pool-create-as`, `pool-define-as`."""

from __future__ import annotations

from guesthouse.cli.grammar import Command, Option, flag
from guesthouse.cli.pools import BUILDING, TYPES, escaped, start_flags

TYPE_CHECKING = False
if TYPE_CHECKING:
    from guesthouse.cli.context import Context
    from guesthouse.cli.grammar import Arguments


def run_create_as(context: Context, args: Arguments) -> None:
    """Make and start a pool from options."""
    from guesthouse.client.pools import create

    flags = start_flags(args)
    name, text = args.need("name"), document(args)
    if args.has("print-xml"):
        context.print(text)
        return
    with context.during(f"Failed to create pool {name}"):
        made = create(context.connection, text, flags)
    if args.has("json"):
        context.dump({"name": made.name, "uuid": made.uuid})
    else:
        context.remark(f"Pool {name} created\n")


def run_define_as(context: Context, args: Arguments) -> None:
    """Define a pool from options."""
    from guesthouse.client.pools import define

    name, text = args.need("name"), document(args)
    if args.has("print-xml"):
        context.print(text)
        return
    with context.during(f"Failed to define pool {name}"):
        made = define(context.connection, text)
    if args.has("json"):
        context.dump({"name": made.name, "uuid": made.uuid})
    else:
        context.remark(f"Pool {name} defined\n")


def document(args: Arguments) -> str:
    """The document that the options mean. Raises CommandError where they contradict each other."""
    args.exclusive("secret-usage", "secret-uuid")
    lines = [f"<pool type='{_value(args, 'type')}'>", f"  <name>{_value(args, 'name')}</name>"]
    source = _source(args)
    if source:
        lines += ["  <source>", *(f"    {line}" for line in source), "  </source>"]
    if args.has("target"):
        lines += ["  <target>", f"    <path>{_value(args, 'target')}</path>", "  </target>"]
    return "\n".join([*lines, "</pool>", ""])


#: The options without which there is no `<source>`, as for virsh.
_PLACES = {
    "source-host",
    "source-path",
    "source-dev",
    "source-initiator",
    "source-format",
    "source-name",
    "adapter-name",
}


def _source(args: Arguments) -> list[str]:
    lines = []
    for name, text in (
        ("source-host", "<host name='{}'/>"),
        ("source-path", "<dir path='{}'/>"),
        ("source-dev", "<device path='{}'/>"),
    ):
        if args.has(name):
            lines.append(text.format(_value(args, name)))
    if args.has("source-initiator"):
        lines += ["<initiator>", f"  <iqn name='{_value(args, 'source-initiator')}'/>", "</initiator>"]
    lines += _adapter(args)
    if not lines and not _PLACES & args.values.keys():
        return []
    lines += _auth(args)
    for name, text in (
        ("source-format", "<format type='{}'/>"),
        ("source-name", "<name>{}</name>"),
        ("source-protocol-ver", "<protocol ver='{}'/>"),
    ):
        if args.has(name):
            lines.append(text.format(_value(args, name)))
    return lines


def _adapter(args: Arguments) -> list[str]:
    if not (args.has("adapter-wwnn") and args.has("adapter-wwpn")):
        name = _value(args, "adapter-name")
        return [f"<adapter type='scsi_host' name='{name}'/>"] if args.has("adapter-name") else []
    parent = ""
    if args.has("adapter-parent"):
        parent = f" parent='{_value(args, 'adapter-parent')}'"
    elif args.has("adapter-parent-wwnn") and args.has("adapter-parent-wwpn"):
        names = (_value(args, "adapter-parent-wwnn"), _value(args, "adapter-parent-wwpn"))
        parent = " parent_wwnn='{}' parent_wwpn='{}'".format(*names)
    elif args.has("adapter-parent-fabric-wwn"):
        parent = f" parent_fabric_wwn='{_value(args, 'adapter-parent-fabric-wwn')}'"
    names = (_value(args, "adapter-wwnn"), _value(args, "adapter-wwpn"))
    return [f"<adapter type='fc_host'{parent} wwnn='{names[0]}' wwpn='{names[1]}'/>"]


def _auth(args: Arguments) -> list[str]:
    secret = next((name for name in ("secret-usage", "secret-uuid") if args.has(name)), None)
    if secret is None or not (args.has("auth-type") and args.has("auth-username")):
        return []
    return [
        f"<auth type='{_value(args, 'auth-type')}' username='{_value(args, 'auth-username')}'>",
        f"  <secret {secret.removeprefix('secret-')}='{_value(args, secret)}'/>",
        "</auth>",
    ]


def _value(args: Arguments, name: str) -> str:
    """The option's value as it stands in XML."""
    return escaped(args.need(name))


def _option(name: str, help_text: str, complete: str = "") -> Option:
    return Option(name, "string", help_text, loose=True, complete=complete)


_OPTIONS = (
    Option("name", "string", "its name", required=True, positional=True),
    Option("type", "string", "its type", required=True, positional=True, complete=TYPES),
    flag("print-xml", "only print the document"),
    _option("source-host", "the server of its storage"),
    _option("source-path", "the directory on the server"),
    _option("source-dev", "the device of its storage"),
    _option("source-name", "the name of its storage, such as that of a volume group"),
    _option("target", "where it is on the host"),
    _option("source-format", "the format of its storage"),
    _option("auth-type", "how the daemon proves to the server who it is: chap or ceph", "chap ceph"),
    _option("auth-username", "as whom"),
    _option("secret-usage", "with which secret: what it is for"),
    _option("secret-uuid", "with which secret: its UUID", "secret"),
    _option("adapter-name", "the SCSI adapter"),
    _option("adapter-wwnn", "the node name of the virtual adapter for Fibre Channel"),
    _option("adapter-wwpn", "its port name"),
    _option("adapter-parent", "the adapter of the host that it is made on"),
    _option("adapter-parent-wwnn", "the node name of that adapter"),
    _option("adapter-parent-wwpn", "its port name"),
    _option("adapter-parent-fabric-wwn", "the fabric that it is in"),
    _option("source-protocol-ver", "the version of NFS"),
    _option("source-initiator", "the name of the iSCSI initiator"),
)

COMMANDS = (
    Command(
        "pool-create-as",
        "pool",
        "make and start a pool from options",
        run_create_as,
        (*_OPTIONS, *BUILDING),
        description="Make and start a pool that is forgotten when it stops, from options instead of a document.",
        shape="{name, uuid}",
    ),
    Command(
        "pool-define-as",
        "pool",
        "define a pool from options",
        run_define_as,
        _OPTIONS,
        description="Define a pool from options instead of a document.",
        shape="{name, uuid}",
    ),
)
