"""Giving guests devices: `attach-device`, `attach-disk`, `attach-interface`."""

from __future__ import annotations

from guesthouse.cli.device_flags import IMPACT, Builder, asked, check, impact, quoted
from guesthouse.cli.failure import CommandError
from guesthouse.cli.grammar import Command, Option, alias, domain, file, flag
from guesthouse.cli.numerals import decimal

TYPE_CHECKING = False
if TYPE_CHECKING:
    from guesthouse.cli.context import Context
    from guesthouse.cli.grammar import Arguments

_SOURCE_TYPES = ("", "file", "block", "network")

#: Types of interfaces that libvirt knows; those that the command cannot describe are refused by name.
_SOURCED = {"network": "network", "bridge": "bridge", "direct": "dev"}
_RATE = ("average", "peak", "burst", "floor")


def run_attach_device(context: Context, args: Arguments) -> None:
    """Attach the device that a file describes."""
    from guesthouse.cli.files import read_document
    from guesthouse.client import devices

    check(args)
    found = context.domain(args.need("domain"))
    path = args.need("file")
    flags = impact(args, found)
    text = read_document(path)
    with context.during(f"Failed to attach device from {path}"):
        devices.attach(found, text, asked(args, flags))
    context.remark("Device attached successfully\n")


def run_attach_disk(context: Context, args: Arguments) -> None:
    """Attach a disk."""
    from guesthouse.client import devices

    check(args)
    for name in ("source-host-name", "source-host-transport", "source-host-socket"):
        args.requires(name, "source-protocol")
    args.requires("source-host-socket", "source-host-transport")
    args.exclusive("source-host-name", "source-host-socket")
    document = _disk(args)
    if args.has("print-xml"):
        context.print(document)
        return
    found = context.domain(args.need("domain"))
    with context.during("Failed to attach disk"):
        devices.attach(found, document, asked(args, impact(args, found)))
    context.remark("Disk attached successfully\n")


def _disk(args: Arguments) -> str:
    """The `<disk>` that the options describe. Raises CommandError."""
    kind = _source_type(args)
    mode = args.text("mode")
    if mode not in (None, "readonly", "shareable"):
        raise CommandError(f"No support for {mode} in command 'attach-disk'")
    wwn = args.text("wwn")
    if wwn is not None and (len(wwn) != 16 or set(wwn) - set("0123456789abcdefABCDEF")):
        raise CommandError("malformed wwn: must be 16 hexadecimal digits")
    disk = Builder("disk").set(type=kind, device=args.text("type"), rawio="yes" if args.has("rawio") else None)
    names = (("name", "driver"), ("type", "subdriver"), ("iothread",) * 2, ("cache",) * 2, ("io",) * 2)
    disk.add(disk.child("driver").set(**{name: args.text(option) for name, option in names}))
    disk.add(_source(args, disk, kind))
    bus = args.text("targetbus")
    disk.line(f"<target dev='{quoted(args.need('target'))}'" + (f" bus='{quoted(bus)}'/>" if bus else "/>"))
    groups = args.text("throttle-groups")
    if groups is not None:
        filters = disk.child("throttlefilters")
        for group in groups.split(","):
            filters.add(filters.child("throttlefilter").set(group=group))
        disk.add(filters)
    _add_identity(args, disk, mode, wwn)
    return disk.text()


def _add_identity(args: Arguments, disk: Builder, mode: str | None, wwn: str | None) -> None:
    if mode:
        disk.line(f"<{mode}/>")
    if serial := args.text("serial"):
        disk.line(f"<serial>{quoted(serial)}</serial>")
    if name := args.text("alias"):
        disk.line(f"<alias name='{quoted(name)}'/>")
    if wwn:
        disk.line(f"<wwn>{wwn}</wwn>")
    if address := args.text("address"):
        from guesthouse.cli.device_addresses import address_of_disk

        disk.line(address_of_disk(address, args.need("target"), multifunction=args.has("multifunction")))


def _source_type(args: Arguments) -> str:
    kind = args.text("sourcetype") or ""
    if kind not in _SOURCE_TYPES:
        raise CommandError(f"Unknown source type: '{kind}'")
    protocol = args.text("source-protocol")
    if not kind:
        block = args.text("driver") not in ("file", "tap") and _is_block(args.need("source"))
        kind = "network" if protocol else "block" if block else "file"
    if (kind == "network") != bool(protocol):
        raise CommandError("--source-protocol option requires --sourcetype network")
    return kind


def _is_block(path: str) -> bool:
    import os
    import stat

    try:
        return stat.S_ISBLK(os.stat(path).st_mode)
    except (OSError, ValueError):
        return False


def _source(args: Arguments, disk: Builder, kind: str) -> Builder:
    source = disk.child("source")
    path = args.need("source") or None
    if kind == "file":
        return source.set(file=path)
    if kind == "block":
        return source.set(dev=path)
    source.set(protocol=args.text("source-protocol"), name=path)
    host = source.child("host").set(
        transport=args.text("source-host-transport"), socket=args.text("source-host-socket")
    )
    where = args.text("source-host-name")
    if where is not None:
        name, colon, port = where.partition(":")
        host.set(name=name, port=port if colon else None)
    source.add(host)
    return source


def run_attach_interface(context: Context, args: Arguments) -> None:
    """Attach a network interface."""
    from guesthouse.client import devices

    check(args)
    document = _interface(args)
    if args.has("print-xml"):
        context.print(document)
        return
    found = context.domain(args.need("domain"))
    with context.during("Failed to attach interface"):
        devices.attach(found, document, asked(args, impact(args, found)))
    context.remark("Interface attached successfully\n")


def _interface(args: Arguments) -> str:
    """The `<interface>` that the options describe. Raises CommandError."""
    kind, source = args.need("type"), args.need("source")
    mode = args.text("source-mode")
    if kind not in (*_SOURCED, "hostdev", "vhostuser"):
        raise CommandError(f"No support for {kind} in command 'attach-interface'")
    if mode not in (None, "server", "client"):
        raise CommandError(f"Invalid source mode: {mode}")
    inbound, outbound = _rate(args, "inbound"), _rate(args, "outbound")
    _check_rates(inbound, outbound)
    made = Builder("interface").set(type=kind, managed="yes" if args.has("managed") else None)
    if kind in _SOURCED:
        made.add(made.child("source").set(**{_SOURCED[kind]: source}))
    elif kind == "hostdev":
        made.add(_host_device(made, source))
    elif mode is None:
        raise CommandError("source-mode is mandatory")
    else:
        made.add(made.child("source").set(type="unix", path=source, mode=mode))
    for option, tag, attribute in (
        ("target", "target", "dev"),
        ("mac", "mac", "address"),
        ("script", "script", "path"),
        ("model", "model", "type"),
        ("alias", "alias", "name"),
    ):
        made.add(made.child(tag).set(**{attribute: args.text(option)}))
    bandwidth = made.child("bandwidth")
    bandwidth.add(bandwidth.child("inbound").set(**_shown(inbound)))
    bandwidth.add(bandwidth.child("outbound").set(**_shown(outbound)))
    made.add(bandwidth)
    return made.text()


def _host_device(made: Builder, source: str) -> Builder:
    from guesthouse.cli.device_addresses import element, parse

    try:
        kind, numbers = parse(f"pci:{source}")
    except CommandError:
        raise CommandError(f"cannot parse pci address '{source}' for network interface") from None
    child = made.child("source")
    child.line(element(kind, numbers))
    return child


def _rate(args: Arguments, name: str) -> dict[str, int]:
    """`average,peak,burst,floor`, of which the last may be missing or empty. Raises CommandError."""
    text = args.text(name)
    if text is None:
        return {}
    parts = text.split(",")
    if len(parts) > len(_RATE):
        raise CommandError(f"Rate string '{text}' has too many fields")
    rate = dict.fromkeys(_RATE, 0)
    for field, part in zip(_RATE, parts, strict=False):
        number = decimal(part) if part else 0
        if number is None or number < 0:
            raise CommandError(f"field '{field}' is malformed")
        rate[field] = number
    return rate


def _check_rates(inbound: dict[str, int], outbound: dict[str, int]) -> None:
    if inbound and not inbound["average"] and not inbound["floor"]:
        raise CommandError("either inbound average or floor is mandatory")
    if outbound and not outbound["average"]:
        raise CommandError("outbound average is mandatory")
    if outbound and outbound["floor"]:
        raise CommandError("outbound floor is unsupported yet")


def _shown(rate: dict[str, int]) -> dict[str, str]:
    return {name: str(number) for name, number in rate.items() if number}


def _text(name: str, help_text: str, *, loose: bool = False) -> Option:
    return Option(name, "string", help_text, loose=loose)


COMMANDS = (
    Command(
        "attach-device",
        "domain",
        "attach the device that a file describes",
        run_attach_device,
        (domain(), file("the device's XML"), *IMPACT),
    ),
    Command(
        "attach-disk",
        "domain",
        "attach a disk",
        run_attach_disk,
        (
            domain(),
            Option(
                "source", "string", "its image, or its name on the network", required=True, positional=True, empty=True
            ),
            Option("target", "string", "its name in the guest, such as vdb", required=True, positional=True),
            _text("targetbus", "the bus: virtio, scsi, usb, sata…"),
            _text("driver", "the driver's name"),
            _text("subdriver", "the format of the image"),
            _text("iothread", "the number of the I/O thread that serves it"),
            _text("cache", "how the host caches it"),
            _text("io", "how it is read and written: threads, native, io_uring"),
            _text("type", "what the guest takes it for: disk, cdrom, floppy, lun"),
            alias("shareable", "mode=shareable"),
            _text("mode", "readonly or shareable"),
            _text("sourcetype", "what the source is: file, block, network"),
            _text("serial", "its serial number"),
            _text("wwn", "its world wide name"),
            _text("alias", "its alias, which begins with ua-"),
            flag("rawio", "it needs the capability of raw I/O"),
            _text("address", "its address, such as pci:0000.05.00.0 or scsi:0.0.3"),
            flag("multifunction", "its slot has several functions"),
            flag("print-xml", "print its XML rather than attach it"),
            _text("source-protocol", "the protocol of a source on the network"),
            _text("source-host-name", "the host of a source on the network, with :port"),
            _text("source-host-transport", "the transport to that host"),
            _text("source-host-socket", "the socket of that host"),
            _text("throttle-groups", "the throttle groups that it belongs to, with commas between them"),
            *IMPACT,
        ),
    ),
    Command(
        "attach-interface",
        "domain",
        "attach a network interface",
        run_attach_interface,
        (
            domain(),
            Option("type", "string", "network, bridge, direct, hostdev or vhostuser", required=True, positional=True),
            Option("source", "string", "the network, bridge, device or socket", required=True, positional=True),
            _text("target", "the name of its device on the host", loose=True),
            _text("mac", "its MAC address", loose=True),
            _text("script", "the script that connects it", loose=True),
            _text("model", "its model, such as virtio", loose=True),
            _text("alias", "its alias, which begins with ua-", loose=True),
            _text("inbound", "what it may receive: average,peak,burst,floor", loose=True),
            _text("outbound", "what it may send: average,peak,burst", loose=True),
            *IMPACT,
            flag("print-xml", "print its XML rather than attach it"),
            flag("managed", "take the device from the host, and give it back"),
            _text("source-mode", "server or client, of a vhost-user socket", loose=True),
        ),
    ),
)
