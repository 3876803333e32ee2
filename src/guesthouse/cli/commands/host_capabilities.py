"""What the host and its hypervisor can do: `capabilities`, `domcapabilities` and the CPU commands."""

from __future__ import annotations

from guesthouse.cli.documents import SHAPE, print_document
from guesthouse.cli.failure import CommandError
from guesthouse.cli.files import read_document
from guesthouse.cli.grammar import Command, Option, file, flag
from guesthouse.client import host

TYPE_CHECKING = False
if TYPE_CHECKING:
    from guesthouse.cli.context import Context
    from guesthouse.cli.grammar import Arguments
    from guesthouse.client.host import Target

#: `virConnectGetDomainCapabilitiesFlags`, `virConnectCompareCPUFlags`, `virConnectBaselineCPUFlags`.
NO_DEPRECATED = 1
COMPARE_FLAGS = {"error": 1, "validate": 2}
BASELINE_FLAGS = {"features": 1, "migratable": 2}

INCOMPATIBLE, IDENTICAL, SUPERSET = range(3)

#: Where a document may have CPUs.
CPU_PLACES = (
    "/container/cpu|/container/domain/cpu|/container/capabilities/host/cpu|"
    "/container/domainCapabilities/cpu/mode[@name='host-model' and @supported='yes']"
)


def _flags(args: Arguments, table: dict[str, int]) -> int:
    return sum(bit for name, bit in table.items() if args.has(name))


def _target(args: Arguments, emulator: str = "emulator") -> Target:
    virt = args.text("virttype")
    program = args.text(emulator)
    return program, args.text("arch"), args.text("machine"), virt


def run_capabilities(context: Context, args: Arguments) -> None:
    """Print the capabilities of the host."""
    with context.during("failed to get capabilities"):
        text = host.capabilities(context.connection)
    print_document(context, args, text)


def run_domcapabilities(context: Context, args: Arguments) -> None:
    """Print what guests can have."""
    flags = NO_DEPRECATED if args.has("disable-deprecated-features") else 0
    with context.during("failed to get emulator capabilities"):
        text = host.domain_capabilities(context.connection, _target(args, "emulatorbin"), flags)
    print_document(context, args, text)


def run_cpu_models(context: Context, args: Arguments) -> None:
    """Print the CPU models of an architecture."""
    with context.during("failed to get CPU model names"):
        names = host.cpu_models(context.connection, args.need("arch"))
    if args.has("json"):
        context.dump([*names])
    elif names:
        context.print("".join(f"{name}\n" for name in names))
    else:
        context.remark("all CPU models are accepted\n")


def run_hypervisor_cpu_models(context: Context, args: Arguments) -> None:
    """Print the CPU models that the hypervisor offers."""
    from guesthouse.cli.xmltool import parse

    with context.during("failed to get hypervisor CPU model names"):
        text = host.domain_capabilities(context.connection, _target(args))
    models = [one for one in parse(text).iterfind("./cpu//model[@usable]")]  # noqa: C416 - lxml's own iterator type
    names = [one.text or "" for one in models if args.has("all") or one.get("usable") == "yes"]
    if args.has("json"):
        context.dump([*names])
    else:
        context.print("".join(f"{name}\n" for name in names))


def _cpus(context: Context, path: str, *, warn: bool) -> list[str]:
    """The CPUs that a document describes, each as XML."""
    from lxml import etree

    from guesthouse.cli.xmltool import parse

    text = read_document(path)
    if text.startswith("<?xml"):
        text = text.partition("?>")[2]
    nodes = parse(f"<container>{text}</container>").xpath(CPU_PLACES)
    if not isinstance(nodes, list) or not nodes:
        raise CommandError(
            f"File '{path}' does not contain any <cpu> element or valid domain XML, host capabilities XML, or domain"
            " capabilities XML"
        )
    cpus = []
    for node in nodes:
        if not isinstance(node, etree._Element):
            continue
        if node.tag == "mode":
            node.tag = "cpu"
            node.attrib.clear()
        if warn and node.xpath("./feature[not(@policy)]"):
            context.error("using host CPU definition as input may provide incorrect results")
        cpus.append(etree.tostring(node, encoding="unicode", with_tail=False))
    return cpus


def run_cpu_compare(context: Context, args: Arguments) -> None:
    """Compare a CPU with the host's."""
    path = args.need("file")
    cpu = _cpus(context, path, warn=False)[0]
    with context.during(f"Failed to compare host CPU with {path}"):
        result = host.compare_cpu(context.connection, cpu, _flags(args, COMPARE_FLAGS))
    words = {
        INCOMPATIBLE: f"CPU described in {path} is incompatible with host CPU\n",
        IDENTICAL: f"CPU described in {path} is identical to host CPU\n",
        SUPERSET: f"Host CPU is a superset of CPU described in {path}\n",
    }
    _verdict(context, words, result)


def run_hypervisor_cpu_compare(context: Context, args: Arguments) -> None:
    """Compare a CPU with what the hypervisor offers."""
    path, target = args.need("file"), _target(args)
    cpu = _cpus(context, path, warn=True)[0]
    with context.during(f"Failed to compare hypervisor CPU with {path}"):
        result = host.compare_hypervisor_cpu(context.connection, target, cpu, _flags(args, COMPARE_FLAGS))
    offered = "CPU provided by hypervisor on the host"
    words = {
        INCOMPATIBLE: f"CPU described in {path} is incompatible with the {offered}\n",
        IDENTICAL: f"CPU described in {path} is identical to the {offered}\n",
        SUPERSET: f"The {offered} is a superset of CPU described in {path}\n",
    }
    _verdict(context, words, result)


def _verdict(context: Context, words: dict[int, str], result: int) -> None:
    context.print(words.get(result, words[INCOMPATIBLE]))
    if result not in (IDENTICAL, SUPERSET):
        raise CommandError


def run_cpu_baseline(context: Context, args: Arguments) -> None:
    """Print the CPU that several have in common."""
    cpus = _cpus(context, args.need("file"), warn=False)
    context.print(host.baseline_cpu(context.connection, cpus, _flags(args, BASELINE_FLAGS)))


def run_hypervisor_cpu_baseline(context: Context, args: Arguments) -> None:
    """Print the CPU that several have in common and the hypervisor offers."""
    path, model, target = args.text("file"), args.text("model"), _target(args)
    args.exclusive("file", "model")
    if path is not None:
        cpus = _cpus(context, path, warn=True)
    elif model is not None:
        from xml.sax.saxutils import escape

        cpus = [f"<cpu><model>{escape(model)}</model></cpu>"]
    else:
        raise CommandError("Either --file or --model must be provided")
    flags = _flags(args, BASELINE_FLAGS)
    context.print(host.baseline_hypervisor_cpu(context.connection, target, cpus, flags))


XPATH = (
    Option("xpath", "string", "only the nodes that this XPath picks"),
    flag("wrap", "and those below one element"),
)


def _machine(*, loose: bool, emulator: str = "emulator") -> tuple[Option, ...]:
    """The options that name a kind of machine."""
    return (
        Option("virttype", "string", "the guest's type, such as kvm", loose=loose, complete="kvm qemu"),
        Option(emulator, "string", "the emulator", loose=loose, complete="file"),
        Option("arch", "string", "the architecture", loose=loose),
        Option("machine", "string", "the machine type", loose=loose),
    )


COMPARE = (flag("error", "fail where it is incompatible"), flag("validate", "check the document against the schema"))
BASELINE = (flag("features", "with the features of its model"), flag("migratable", "without what cannot be migrated"))
CPU_FILE = file("a document with a CPU: of its own, of a guest, or capabilities")

COMMANDS = (
    Command("capabilities", "host", "print the host's capabilities", run_capabilities, XPATH, shape=SHAPE),
    Command(
        "cpu-baseline",
        "host",
        "print what CPUs have in common",
        run_cpu_baseline,
        (CPU_FILE, *BASELINE),
    ),
    Command("cpu-compare", "host", "compare a CPU with the host's", run_cpu_compare, (CPU_FILE, *COMPARE)),
    Command(
        "cpu-models",
        "host",
        "list the CPU models of an architecture",
        run_cpu_models,
        (Option("arch", "string", "the architecture", required=True, positional=True),),
        shape="[name]",
    ),
    Command(
        "domcapabilities",
        "host",
        "print what guests can have",
        run_domcapabilities,
        (
            *_machine(loose=True, emulator="emulatorbin"),
            *XPATH,
            flag("disable-deprecated-features", "with a host CPU without deprecated features"),
        ),
        shape=SHAPE,
    ),
    Command(
        "hypervisor-cpu-baseline",
        "host",
        "print what CPUs have in common that the hypervisor offers",
        run_hypervisor_cpu_baseline,
        (
            Option("file", "string", "a document with CPUs", loose=True, complete="file"),
            *_machine(loose=True),
            *BASELINE,
            Option("model", "string", "a CPU model, in place of a document", loose=True),
        ),
    ),
    Command(
        "hypervisor-cpu-compare",
        "host",
        "compare a CPU with what the hypervisor offers",
        run_hypervisor_cpu_compare,
        (CPU_FILE, *_machine(loose=True), *COMPARE),
    ),
    Command(
        "hypervisor-cpu-models",
        "host",
        "list the CPU models that the hypervisor offers",
        run_hypervisor_cpu_models,
        (*_machine(loose=False), flag("all", "those that this host cannot run, too")),
        shape="[name]",
    ),
)
