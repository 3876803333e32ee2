"""Secrets and what they are for: `secret-define`, `secret-dumpxml`, `secret-edit`, `secret-list`, `secret-undefine`."""

from __future__ import annotations

from guesthouse.cli.documents import SHAPE, print_document
from guesthouse.cli.failure import CommandError
from guesthouse.cli.files import read_document
from guesthouse.cli.grammar import Command, Option, file, flag
from guesthouse.cli.secrets import find, secret

TYPE_CHECKING = False
if TYPE_CHECKING:
    from guesthouse.cli.context import Context
    from guesthouse.cli.grammar import Arguments

#: Option of `secret-list` to filter (`virConnectListAllSecretsFlags`).
FILTERS = {"ephemeral": 1, "no-ephemeral": 2, "private": 4, "no-private": 8}


def run_define(context: Context, args: Arguments) -> None:
    """Define a secret, or change one."""
    from guesthouse.client.secret import VALIDATE, define

    path = args.need("file")
    text = read_document(path)
    with context.during(f"Failed to set attributes from {path}"):
        made = define(context.connection, text, VALIDATE if args.has("validate") else 0)
    if args.has("json"):
        context.dump({"uuid": made.uuid})
    else:
        context.remark(f"Secret {made.uuid} created\n")


def run_dumpxml(context: Context, args: Arguments) -> None:
    """Print a secret's definition; its value is not in it."""
    print_document(context, args, find(context, args).xml())


def run_edit(context: Context, args: Arguments) -> None:
    """Let the person edit a secret's definition."""
    from guesthouse.cli.editing import edit_document
    from guesthouse.client.secret import VALIDATE, define

    found = find(context, args)
    flags = [VALIDATE]

    def put(text: str) -> None:
        made = define(context.connection, text, flags[0])
        if made.uuid != found.uuid:
            made.undefine()
            raise CommandError("the UUID of a secret cannot be changed")

    changed = edit_document(context, found.xml, put, lambda: flags.__setitem__(0, 0))
    context.remark(f"Secret {found.uuid} XML configuration {'edited' if changed else 'not changed'}.\n")


def run_list(context: Context, args: Arguments) -> None:
    """Print the secrets."""
    from guesthouse.client.secret import EPHEMERAL, PRIVATE, secrets

    flags = sum(bit for name, bit in FILTERS.items() if args.has(name))
    with context.during("Failed to list node secrets"):
        found = sorted(secrets(context.connection, flags), key=lambda one: one.uuid)
    if args.has("json"):
        ephemeral, private = ({one.uuid for one in secrets(context.connection, bit)} for bit in (EPHEMERAL, PRIVATE))
        context.dump(
            [
                {
                    "uuid": one.uuid,
                    "usage": one.usage if one.usage_id else None,
                    "id": one.usage_id or None,
                    "ephemeral": one.uuid in ephemeral,
                    "private": one.uuid in private,
                }
                for one in found
            ]
        )
    else:
        rows = [(one.uuid, f"{one.usage} {one.usage_id}" if one.handle.usageType else "Unused") for one in found]
        context.table(("UUID", "Usage"), rows)


def run_undefine(context: Context, args: Arguments) -> None:
    """Remove a secret and its value."""
    name = args.need("secret")
    found = find(context, args)
    with context.during(f"Failed to delete secret {name}"):
        found.undefine()
    context.remark(f"Secret {name} deleted\n")


COMMANDS = (
    Command(
        "secret-define",
        "secret",
        "define a secret, or change one",
        run_define,
        (file("its definition"), flag("validate", "and check it against the schema")),
        description="Define what a secret is for, without its value; or change that of the secret with the same UUID.",
        shape="{uuid}",
    ),
    Command(
        "secret-dumpxml",
        "secret",
        "print a secret's definition",
        run_dumpxml,
        (
            secret(),
            Option("xpath", "string", "only the nodes that this XPath picks"),
            flag("wrap", "and those below one element"),
        ),
        description="Print the definition of a secret as XML. The value is not in it.",
        shape=SHAPE,
    ),
    Command(
        "secret-edit",
        "secret",
        "edit a secret's definition",
        run_edit,
        (secret(),),
        description="Edit the definition of a secret in $VISUAL or $EDITOR. Its value stays as it is.",
        ours=True,
    ),
    Command(
        "secret-list",
        "secret",
        "list the secrets",
        run_list,
        (
            flag("ephemeral", "those that are kept in memory only"),
            flag("no-ephemeral", "those that are kept on disk"),
            flag("private", "those whose value is not told"),
            flag("no-private", "those whose value is told"),
        ),
        description="List the secrets and what they are for.",
        shape="[{uuid, usage: volume, ceph, iscsi, tls, vtpm or null, id: text or null, ephemeral, private}]",
    ),
    Command(
        "secret-undefine",
        "secret",
        "remove a secret",
        run_undefine,
        (secret(),),
        description="Remove a secret and its value. What it protects can no longer be opened without it.",
    ),
)
