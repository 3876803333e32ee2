"""A guest's network cards, changed: `domif-setlink`, `domiftune`."""

from __future__ import annotations

from guesthouse.cli.failure import CommandError
from guesthouse.cli.grammar import Command, Option, domain, flag
from guesthouse.cli.params import shown, value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from guesthouse.cli.context import Context
    from guesthouse.cli.grammar import Arguments
    from guesthouse.cli.xmltool import Element

#: `virDomainModificationImpact`, and `VIR_DOMAIN_XML_INACTIVE`.
LIVE, CONFIG = 1, 2
XML_INACTIVE = 2

_UINT_MAX = 2**32 - 1
_FIELDS = ("average", "peak", "burst", "floor")


def run_domif_setlink(context: Context, args: Arguments) -> None:
    """Plug a card's cable in, or pull it out."""
    from guesthouse.cli.xmltool import definition, serialized
    from guesthouse.client import devices

    state = args.need("state")
    if state not in ("up", "down"):
        raise CommandError(f"invalid link state '{state}'")
    found = context.domain(args.need("domain"))
    stored = args.has("config")
    flags = CONFIG if stored or not found.is_active() else LIVE
    card = _card(definition(context, found, XML_INACTIVE if stored else 0), args.need("interface"))
    link = card.find("link")
    if link is None:
        link = card.makeelement("link", {})
        card.append(link)
    link.set("state", state)
    document = serialized(card)
    if args.has("print-xml"):
        context.print(document)
        return
    with context.during("Failed to update interface link state"):
        devices.update(found, document, flags)
    context.remark("Device updated successfully\n")


def _card(root: Element, name: str) -> Element:
    """The card with this MAC address or device on the host, in any case of letters."""
    from guesthouse.cli.xmltool import first

    cards = root.findall("./devices/interface")
    if not cards:
        raise CommandError("Failed to extract interface information or no interfaces found")
    for card in cards:
        if name.lower() in (first(card, "mac/@address").lower(), first(card, "target/@dev").lower()):
            return card
    raise CommandError(f"interface '{name}' not found")


def run_domiftune(context: Context, args: Arguments) -> None:
    """Print or set the limits of a card's rate."""
    from guesthouse.client import interfaces

    args.exclusive("current", "live")
    args.exclusive("current", "config")
    flags = (CONFIG if args.has("config") else 0) | (LIVE if args.has("live") else 0)
    found = context.domain(args.need("domain"))
    device = args.need("interface")
    values = inbound(args) | outbound(args)
    if values:
        with context.during("Unable to set interface parameters"):
            interfaces.set_parameters(found, device, values, flags)
        return
    with context.during("Unable to get interface parameters"):
        params = interfaces.parameters(found, device, flags)
    if args.has("json"):
        context.dump({one.field: value(one) for one in params})
        return
    for one in params:
        context.print(f"{one.field:<15}: {shown(one)}\n")


def inbound(args: Arguments) -> dict[str, int]:
    """The parameters that `--inbound` sets. Raises CommandError in virsh's words."""
    rate = _rate(args, "inbound")
    if not rate:
        return {}
    if not rate["average"] and (rate["burst"] or rate["peak"]) and not rate["floor"]:
        raise CommandError("either inbound average or floor is mandatory")
    return _named("inbound", rate)


def outbound(args: Arguments) -> dict[str, int]:
    """The parameters that `--outbound` sets. Raises CommandError in virsh's words."""
    rate = _rate(args, "outbound")
    if not rate:
        return {}
    if not rate["average"] and (rate["burst"] or rate["peak"]):
        raise CommandError("outbound average is mandatory")
    if rate["floor"]:
        raise CommandError("outbound floor is unsupported yet")
    return _named("outbound", rate)


def _named(direction: str, rate: dict[str, int]) -> dict[str, int]:
    """The parameters to send: the average always, the others where they are given."""
    return {f"{direction}.{name}": number for name, number in rate.items() if number or name == "average"}


def _rate(args: Arguments, option: str) -> dict[str, int]:
    """`AVERAGE,PEAK,BURST,FLOOR`, of which each may be missing; nothing without the option."""
    text = args.text(option)
    if text is None:
        return {}
    words = text.split(",")
    if len(words) > len(_FIELDS):
        raise CommandError(f"Rate string '{text}' has too many fields")
    rate = dict.fromkeys(_FIELDS, 0)
    for name, word in zip(_FIELDS, words, strict=False):
        if word and not (word.isascii() and word.isdigit()):
            raise CommandError(f"malformed {name} field")
        rate[name] = int(word or 0)
    if any(rate[name] > _UINT_MAX for name in ("average", "peak", "burst")):
        raise CommandError(f"{option} rate larger than maximum {_UINT_MAX}")
    return rate


_INTERFACE = Option("interface", "string", "its name or MAC address", required=True, positional=True)

COMMANDS = (
    Command(
        "domif-setlink",
        "domain",
        "connect or disconnect a network interface",
        run_domif_setlink,
        (
            domain(),
            _INTERFACE,
            Option("state", "string", "up or down", required=True, positional=True, complete="up down"),
            flag("config", "in the stored definition"),
            flag("print-xml", "print the changed element instead"),
        ),
    ),
    Command(
        "domiftune",
        "domain",
        "print or set the limits of an interface's rate",
        run_domiftune,
        (
            domain(),
            _INTERFACE,
            Option("inbound", "string", "average,peak,burst,floor of what the guest receives, in KiB"),
            Option("outbound", "string", "average,peak,burst of what it sends, in KiB"),
            flag("config", "of the stored definition"),
            flag("live", "of the running guest"),
            flag("current", "of whichever is there"),
        ),
        shape="{inbound.average, inbound.peak, inbound.burst, inbound.floor, outbound.average, outbound.peak, "
        "outbound.burst}",
    ),
)
