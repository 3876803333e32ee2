"""What keeps a guest secret: `domdisplay-reload`, `domlaunchsecinfo`, `domsetlaunchsecstate`."""

from __future__ import annotations

from guesthouse.cli.failure import CommandError
from guesthouse.cli.files import read_document
from guesthouse.cli.grammar import Command, Option, domain
from guesthouse.cli.params import raw, value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from guesthouse.cli.context import Context
    from guesthouse.cli.grammar import Arguments


def run_domlaunchsecinfo(context: Context, args: Arguments) -> None:
    """Print the measurement and the firmware's version."""
    params = context.domain(args.need("domain")).launch_security()
    if args.has("json"):
        context.dump({param.field: value(param) for param in params})
        return
    context.print("".join(f"{param.field:<15}: {raw(param)}\n" for param in params))


def run_domsetlaunchsecstate(context: Context, args: Arguments) -> None:
    """Put the owner's secret into the guest's memory."""
    from guesthouse.client.params import string_param, ullong_param

    found = context.domain(args.need("domain"))
    header, secret = args.text("secrethdr"), args.text("secret")
    if header is None or secret is None:
        raise CommandError("Both secret and secret header are required")
    params = [
        string_param("sev-secret-header", read_document(header)),
        string_param("sev-secret", read_document(secret)),
    ]
    address = args.number("set-address", 0, 2**64 - 1)
    if address is not None:
        params.append(ullong_param("sev-secret-set-address", address))
    with context.during("Unable to set launch security state"):
        found.set_launch_secret(params)


def run_domdisplay_reload(context: Context, args: Arguments) -> None:
    """Have the guest's displays read their certificates again."""
    kind = args.number("type", 0)
    context.domain(args.need("domain")).reload_certificates(kind or 0)


COMMANDS: tuple[Command, ...] = (
    Command(
        "domdisplay-reload",
        "domain",
        "have a guest's displays read their certificates again",
        run_domdisplay_reload,
        (domain(), Option("type", "int", "the display: 0 for any, 1 for VNC")),
    ),
    Command(
        "domlaunchsecinfo",
        "domain",
        "print what the processor says of a guest's encrypted memory",
        run_domlaunchsecinfo,
        (domain(),),
        shape="{parameter: value}",
    ),
    Command(
        "domsetlaunchsecstate",
        "domain",
        "put a secret into a guest's encrypted memory",
        run_domsetlaunchsecstate,
        (
            domain(),
            Option("secrethdr", "string", "the file with the secret's header", complete="file"),
            Option("secret", "string", "the file with the secret", complete="file"),
            Option("set-address", "int", "where in the guest's memory it goes"),
        ),
    ),
)
