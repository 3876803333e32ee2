"""Memory, NUMA nodes, processors, I/O threads and tuning: what is refused, and what follows from what."""

from __future__ import annotations

import re
import time

import pytest

from guesthouse.errors import Code, LibvirtError
from guesthouse.model.binding import Style, new
from guesthouse.model.domain import guest_memory, iothreads
from guesthouse.model.domain.command_line import prepare, realise
from guesthouse.model.domain.complete import complete
from guesthouse.model.domain.definition import Domain
from guesthouse.model.domain.document import format_domain, parse_domain
from guesthouse.model.domain.iothreads import Iothread
from guesthouse.model.domain.launch import LaunchContext
from guesthouse.model.domain.memory_objects import HostMemory
from tests.support.capabilities import host_defaults, qemu_capabilities

NODES = HostMemory({0: frozenset(range(4)), 1: frozenset(range(4, 8))})


def _xml(sections: str = "", *, devices: str = "", numa: str = "", memory: str = "<memory>1048576</memory>") -> str:
    cpu = f"<cpu><numa>{numa}</numa></cpu>" if numa else ""
    return f"""<domain type='qemu'><name>guest</name>{memory}{sections}
      <os><type arch='x86_64' machine='q35'>hvm</type></os>{cpu}<devices>{devices}</devices></domain>"""


def _define(xml: str, *, kept: bool = False) -> Domain:
    domain = parse_domain(xml)
    complete(domain, qemu_capabilities(), defaults=host_defaults(), kept=kept)
    return domain


def _words(domain: Domain, host: HostMemory = NODES) -> list[str]:
    launch = LaunchContext(qemu_capabilities(), guest_dir="/guest", short_name="1-guest", host_memory=host)
    prepare(domain, launch)
    return realise(domain, launch).argv


CPUS = "<vcpu>4</vcpu>"
THREAD = "<iothreads>1</iothreads>"
CELL = "<cell id='0' cpus='0-3' memory='1048576'/>"
CELLS = "<cell cpus='0-1' memory='524288'/><cell cpus='2-3' memory='524288'/>"
SLOTS = "<maxMemory slots='2' unit='GiB'>4</maxMemory>"
CACHE = "<cache level='1' associativity='none' policy='none'><size value='1'/></cache>"


def _tune(text: str) -> str:
    return _xml(f"{CPUS}{THREAD}<cputune>{text}</cputune>")


def _device(model: str, target: str = "<node>0</node>", source: str = "", attributes: str = "", rest: str = "") -> str:
    size = "" if target.startswith("<size") else "<size unit='MiB'>64</size>"
    device = f"<memory model='{model}' {attributes}>{source}<target>{size}{target}</target>{rest}</memory>"
    return _xml(CPUS + SLOTS, numa=CELL, devices=device)


def _vcpus(states: str, *orders: int) -> str:
    """Processors that are there (1), are plugged at the start (h) or are not there (0)."""
    words = {
        "1": "enabled='yes' hotpluggable='no'",
        "h": "enabled='yes' hotpluggable='yes'",
        "0": "enabled='no' hotpluggable='yes'",
    }
    each = [
        f"<vcpu id='{number}' {words[state]} order='{orders[number] if orders else 0}'/>"
        for number, state in enumerate(states)
    ]
    return _xml(f"{CPUS}<vcpus>{''.join(each)}</vcpus>")


def _links(*links: str) -> str:
    return _xml(CPUS, numa=f"{CELLS}<interconnects>{''.join(links)}</interconnects>")


def _latency(initiator: int, target: int, rest: str = "") -> str:
    return f"<latency initiator='{initiator}' target='{target}' type='access' value='5' {rest}/>"


XML, BAD, DETAIL = Code.XML_ERROR, Code.CONFIG_UNSUPPORTED, Code.XML_DETAIL
REFUSED = [
    # Sizes.
    (_xml(memory=""), XML, "Memory size must be specified via <memory> or in the <numa> configuration"),
    (_xml("<maxMemory slots='4'>0</maxMemory>"), XML, "maximum memory size must be specified when"),
    (_xml("<maxMemory>1</maxMemory>"), XML, "maximum memory size must be equal or greater than the actual memory"),
    (_xml(SLOTS), BAD, "At least one numa node has to be configured when enabling memory hotplug"),
    # Backing.
    (_xml("<memoryBacking><hugepages><page size='0'/></hugepages></memoryBacking>"), DETAIL, "can't be zero"),
    (_xml("<memoryBacking><hugepages><page size='2048' nodeset='1'/></hugepages></memoryBacking>"), DETAIL,
     "hugepages: node 1 not found"),
    (_xml("<memoryBacking><hugepages><page size='1'/><page size='2'/></hugepages></memoryBacking>"), DETAIL,
     "two master hugepages detected: 2 and 1"),
    (_xml(CPUS + "<memoryBacking><hugepages><page size='1' nodeset='0'/><page size='2' nodeset='0-1'/></hugepages>"
          "</memoryBacking>", numa=CELLS), DETAIL, "nodeset attribute of hugepages of sizes 2 and 1 intersect"),
    (_xml("<memoryBacking><hugepages/><source type='anonymous'/></memoryBacking>"), BAD, "anonymous memory source"),
    (_xml("<memoryBacking><hugepages/><allocation mode='ondemand'/></memoryBacking>"), BAD, "allocation ondemand"),
    (_xml("<memoryBacking><source type='shm'/></memoryBacking>"), XML, "'type' in element 'source': 'shm'"),
    # Nodes.
    (_xml(CPUS, numa="<interconnects/>"), XML, "NUMA topology defined without NUMA cells"),
    (_xml(CPUS, numa="<cell id='1' memory='1'/>"), XML, "Exactly one 'cell' element per guest NUMA cell allowed"),
    (_xml(CPUS, numa="<cell id='0' memory='1'/><cell id='0' memory='1'/>"), XML, "Duplicate NUMA cell info for"),
    (_xml(CPUS, numa="<cell cpus='0-1' memory='1'/><cell cpus='1' memory='1'/>"), BAD,
     "NUMA cells 1 and 0 have overlapping vCPU ids"),
    (_xml(CPUS, numa="<cell cpus='0-7' memory='1'/>"), Code.INTERNAL_ERROR, "Number of CPUs in <numa> exceeds the"),
    (_xml(CPUS, numa="<cell cpus='4' memory='1'/>"), Code.INTERNAL_ERROR, "CPU IDs in <numa> exceed the <vcpu> count"),
    (_xml(CPUS, numa="<cell memory='1'><distances/></cell>"), XML, "NUMA distances defined without siblings"),
    (_xml(CPUS, numa="<cell memory='1'><distances><sibling id='1' value='20'/></distances></cell>"), XML,
     "'sibling_id 1' does not refer to a valid cell within NUMA 'cell id 0'"),
    (_xml(CPUS, numa="<cell memory='1'><distances><sibling id='0' value='20'/></distances></cell>"), XML,
     "'value 20' is invalid for 'sibling id 0' under NUMA 'cell id 0'"),
    (_xml(CPUS, numa=f"<cell memory='1'>{CACHE}{CACHE}</cell>"), XML, "Cache level '1' already defined"),
    (_xml(CPUS, numa=f"<cell memory='1'>{CACHE.replace('1', '4', 1)}</cell>"), XML, "heard of that much cache level"),
    (_links(_latency(2, 0)), XML, "'initiator' refers to a non-existent NUMA node"),
    (_links(_latency(0, 2)), XML, "'target' refers to a non-existent NUMA node"),
    (_links(_latency(0, 1, "cache='1'")), XML, "'cache' refers to a non-existent NUMA node cache"),
    (_links(_latency(0, 1), _latency(0, 1)), XML, "Duplicate info for NUMA latencies"),
    (_links(_latency(0, 1), _latency(1, 0)), XML, "Link already defined"),
    (_xml(CPUS, numa="<cell cpus='0-3' memory='1'/><cell memory='1'/><interconnects>" + _latency(1, 0)
          + "</interconnects>"), XML, "NUMA nodes without CPUs can't be initiator"),
    # The host's nodes.
    (_xml("<numatune><memory mode='strict' placement='static'/></numatune>"), BAD, "nodeset for NUMA memory tuning"),
    (_xml("<numatune><memnode cellid='0' nodeset='0'/></numatune>"), XML, "invalid without any guest NUMA cells"),
    (_xml(CPUS + "<numatune><memnode cellid='1' nodeset='0'/></numatune>", numa=CELL), XML, "must correspond to"),
    (_xml(CPUS + "<numatune>" + "<memnode cellid='0' nodeset='0'/>" * 2 + "</numatune>", numa=CELL), XML,
     "Multiple memnode elements with cellid 0"),
    (_xml(CPUS + "<numatune><memory placement='auto'/><memnode cellid='0' nodeset='0'/></numatune>", numa=CELL), BAD,
     "Per-node binding is not compatible with automatic NUMA placement."),
    (_xml(CPUS + "<numatune><memory mode='restrictive' nodeset='0'/><memnode cellid='0' nodeset='0'/></numatune>",
          numa=CELL), XML, "required in memnode element"),
    (_xml(CPUS + "<numatune><memory nodeset='0'/><memnode cellid='0' mode='restrictive' nodeset='0'/></numatune>",
          numa=CELL), XML, "required in memory element"),
    # Processors and threads.
    (_xml(CPUS + "<vcpus><vcpu id='4' enabled='yes'/></vcpus>"), XML, "vcpu id '4' is out of range of maximum vcpu"),
    (_xml(CPUS + "<vcpus><vcpu id='0' enabled='no' hotpluggable='no'/></vcpus>"), BAD, "both offline and not hotplug"),
    (_xml(CPUS + "<vcpus><vcpu id='0' enabled='no'/></vcpus>"), BAD, "Domain requires at least 1 vCPU"),
    (_vcpus("01h"), BAD, "vcpu 0 can't be offline"),
    (_vcpus("h1"), BAD, "vcpu0 can't be hotpluggable"),
    (_vcpus("1", 2), BAD, "vcpu0 must be enabled first"),
    (_vcpus("11", 1, 0), BAD, "all vcpus must have either set or unset order"),
    (_vcpus("1h1"), BAD, "need to be ordered prior to hotpluggable vcpus"),
    (_vcpus("111", 1, 3, 2), BAD, "must be ordered in ascending order"),
    (_vcpus("11", 1, 1), BAD, "duplicate vcpu order '1'"),
    (_vcpus("11", 1, 5), BAD, "order '5' exceeds vcpu count"),
    (_xml("<iothreadids><iothread id='0'/></iothreadids>"), XML, "'id' in element 'iothread': '0'"),
    (_xml("<iothreadids><iothread id='1'/><iothread id='1'/></iothreadids>"), XML, "duplicate iothread id '1' found"),
    (_xml("<iothreads>4000000000</iothreads>"), XML, "invalid iothreads count '4000000000'"),
    (_xml("<iothreadids><iothread id='1' thread_pool_max='0'/></iothreadids>"), BAD, "must be a positive integer"),
    (_xml("<iothreadids><iothread id='1' thread_pool_min='2'/></iothreadids>"), BAD, "must be smaller or equal to"),
    (_xml("<defaultiothread thread_pool_min='9' thread_pool_max='8'/>"), BAD, "must be smaller or equal to"),
    (_xml("<defaultiothread thread_pool_min='-1'/>"), XML, "'thread_pool_min' in element 'defaultiothread': '-1'"),
    # Tuning.
    (_tune("<period>999</period>"), BAD, "Value of cputune 'period' must be in range [1000, 1000000]"),
    (_tune("<iothread_quota>1</iothread_quota>"), BAD, "'iothread_quota' must be in range [1000, 17592186044415]"),
    (_tune("<vcpupin vcpu='0' cpuset='1'/>" * 2), Code.INTERNAL_ERROR, "duplicate vcpupin for vcpu '0'"),
    (_tune("<iothreadpin iothread='1' cpuset='1'/>" * 2), Code.INTERNAL_ERROR, "iothreadpin for same iothread '1'"),
    (_tune("<iothreadpin iothread='2' cpuset='1'/>"), BAD, "Cannot find 'iothread' : 2"),
    (_tune("<iothreadsched iothreads='2' scheduler='idle'/>"), BAD, "Cannot find 'iothread' : 2"),
    (_tune("<iothreadsched iothreads='1' scheduler='idle'/>" * 2), DETAIL, "'iothreads' must not overlap"),
    (_tune("<vcpusched vcpus='0-2' scheduler='idle'/><vcpusched vcpus='2' scheduler='idle'/>"), DETAIL,
     "'vcpusched' attributes 'vcpus' must not overlap"),
    (_tune("<vcpusched vcpus='4' scheduler='idle'/>"), BAD, "vCPU '4' is not present in domain definition"),
    (_tune("<emulatorsched scheduler='rr'/>"), XML, "Missing required attribute 'priority'"),
    (_tune("<cachetune vcpus='0'><cache id='0' level='3' type='both' size='1'/>"
           "<cache id='0' level='3' type='code' size='1'/></cachetune>"), XML, "Colliding cache allocations"),
    (_tune("<cachetune vcpus='0'><monitor level='2' vcpus='0'/></cachetune>"), XML, "monitor cache level '2'"),
    (_tune("<cachetune vcpus='0'><monitor level='3' vcpus='1'/></cachetune>"), Code.INVALID_ARG, "conflicts with"),
    (_tune("<cachetune vcpus='0-1'><monitor level='3' vcpus='0-1'/><monitor level='3' vcpus='1'/></cachetune>"),
     Code.INVALID_ARG, "vcpus overlaps in resctrl groups"),
    (_tune("<cachetune vcpus='0-1'><monitor level='3' vcpus='1'/><monitor level='3' vcpus='1'/></cachetune>"),
     Code.INVALID_ARG, "Identical vcpus found in same type monitors"),
    (_tune("<cachetune vcpus='0'><monitor level='3' vcpus='0'/></cachetune>" * 2), XML, "Identical vcpus in cachetune"),
    (_tune("<cachetune vcpus='0-1'><monitor level='3' vcpus='0'/></cachetune><memorytune vcpus='1'><node id='0' "
           "bandwidth='9'/></memorytune>"), XML, "Overlapping vcpus in resctrls"),
    (_tune("<memorytune vcpus='1'>" + "<node id='0' bandwidth='9'/>" * 2 + "</memorytune>"), XML,
     "Memory Bandwidth already defined for node 0"),
    (_xml("<blkiotune>" + "<device><path>/dev/a</path></device>" * 2 + "</blkiotune>"), BAD, "duplicate blkio device"),
    (_xml("<idmap><uid start='0' target='1' count='1'/></idmap>"), BAD, "uid and gid should be mapped both"),
    (_xml("<idmap><uid start='1' target='1' count='1'/><gid start='0' target='1' count='1'/></idmap>"), BAD,
     "You must map the root user of container"),
    # Devices.
    (_xml(devices="<memory model='dimm'><target><size>1</size></target></memory>"), BAD, "'maxMemory' is not defined"),
    (_xml(devices="<memory model='dimm'><target><size unit='GiB'>2</size></target></memory>"), XML,
     "Total size of memory devices exceeds the total memory size"),
    (_device("dimm", "<node>1</node>"), DETAIL, "guest has only '1' NUMA nodes configured"),
    (_device("dimm", ""), BAD, "target NUMA node needs to be specified for memory device"),
    (_device("dimm", "<size>0</size><node>0</node>"), XML, "Missing required element 'size'"),
    (_device("dimm", rest="<address type='dimm' slot='2'/>"), BAD, "slot '2' exceeds slots count '2'"),
    (_device("dimm", rest="<address type='pci'/>"), BAD, "only 'dimm' addresses are supported"),
    (_device("dimm", "<node>0</node><readonly/>"), BAD, "<readonly> is not supported for memory model 'dimm'"),
    (_device("dimm", source="<source><path>/a</path></source>"), BAD, "<path> is not supported for memory model"),
    (_device("nvdimm"), DETAIL, "path is required for model 'nvdimm'"),
    (_device("nvdimm", source="<source><path>/a</path></source>", attributes="discard='yes'"), BAD, "nvdimms"),
    (_device("nvdimm", "<node>0</node><label><size>64</size></label>"), XML, "label must be at least 128KiB"),
    (_device("nvdimm", "<node>0</node><label><size unit='MiB'>64</size></label>"), XML, "label size must be smaller"),
    (_device("virtio-pmem", ""), DETAIL, "path is required for model 'virtio-pmem'"),
    (_device("virtio-pmem", source="<source><path>/a</path></source>"), BAD, "does not support NUMA nodes"),
    (_device("virtio-pmem", "", "<source><path>/a</path></source>", "access='private'"), BAD, "shared access mode"),
    (_device("virtio-pmem", "<address base='0x10'/>", "<source><path>/a</path></source>"), BAD, "aligned to 4096"),
    (_device("virtio-mem", "<node>0</node><block>2048</block><requested unit='GiB'>1</requested>"), DETAIL,
     "requested size must be smaller than or equal to @size (65536KiB)"),
    (_device("virtio-mem", "<node>0</node><block>3000</block>"), DETAIL, "block size must be a power of two"),
    (_device("virtio-mem", "<node>0</node><block>1024</block>"), DETAIL, "block size too small"),
    (_device("virtio-mem", "<node>0</node><block>4096</block><requested>2048</requested>"), DETAIL, "multiple of bl"),
    (_device("virtio-mem", "<node>0</node><block>4096</block><address base='0x1000'/>"), DETAIL, "aligned to block"),
    (_device("virtio-mem", "<node>0</node><block>4096</block>", rest="<address type='dimm' slot='0'/>"), BAD,
     "only 'pci' and 'ccw' addresses are supported for the virtio-mem device"),
    (_device("sgx-epc", rest="<address type='dimm' slot='0'/>"), BAD, "address is not supported for model 'sgx-epc'"),
]  # fmt: skip


@pytest.mark.parametrize(("xml", "code", "words"), REFUSED, ids=[words for _, _, words in REFUSED])
def test_refused(xml: str, code: int, words: str) -> None:
    with pytest.raises(LibvirtError) as caught:
        _define(xml)
    assert (caught.value.code, words in caught.value.message) == (code, True), caught.value.message


def test_documents_that_want_too_much_are_soon_refused() -> None:
    cells = "<cell memory='1'/>" * 20000
    monitors = "".join(f"<monitor level='3' vcpus='{number}'/>" for number in range(16000))
    modules = "<memory model='dimm'><target><size>2048</size><node>0</node></target></memory>" * 20000
    started = time.process_time()
    for xml, words in (
        (_xml(CPUS, numa=cells), "20000 NUMA cells are too many"),
        (_xml(CPUS + SLOTS.replace("4", "999"), numa=CELL, devices=modules), "exceeds slots count '2'"),
        (_xml(f"<vcpu>16000</vcpu><cputune><cachetune vcpus='0-15998'>{monitors}</cachetune></cputune>"),
         "Monitor vcpus conflicts with allocation"),
    ):  # fmt: skip
        with pytest.raises(LibvirtError, match=words):
            _define(xml)
    assert time.process_time() - started < 20


def test_modules_must_not_lie_upon_each_other() -> None:
    module = (
        "<memory model='dimm'><target><size unit='MiB'>64</size><node>0</node></target>"
        "<address type='dimm' slot='{}' base='{}'/></memory>"
    )
    for first, second, words in (
        (("0", "0x100000000"), ("0", "0x200000000"), "slot '0' is already being used"),
        (
            ("0", "0x100000000"),
            ("1", "0x102000000"),
            "[0x100000000:0x104000000] overlaps with other memory device (0x102000000)",
        ),
    ):
        xml = _xml(CPUS + SLOTS, numa=CELL, devices=module.format(*first) + module.format(*second))
        with pytest.raises(LibvirtError, match=re.escape(words)):
            _define(xml)
    modules = "".join(module.format(slot, hex(slot << 32)) for slot in (1, 2))
    with pytest.raises(LibvirtError, match="requiring memory slots '2' exceeds slots count '1'"):
        _define(_xml(CPUS + SLOTS.replace("2", "1", 1), numa=CELL, devices=modules.replace("slot='1'", "slot='0'")))


def test_all_memory_is_that_of_the_nodes_and_the_devices() -> None:
    device = "<memory model='dimm'><target><size unit='MiB'>64</size><node>0</node></target></memory>"
    xml = _xml(CPUS + SLOTS, numa=CELL, devices=device, memory="<memory>7</memory>")
    domain = _define(xml)
    assert (domain.memory.kib, guest_memory.initial_kib(domain)) == (1048576 + 65536, 1048576)
    enough = xml.replace("<memory>7<", "<memory>2097152<")
    assert _define(enough, kept=True).memory.kib == 2097152  # as it was written to its file


def test_a_size_beyond_any_host_is_refused_at_the_start() -> None:
    domain = _define(_xml(CPUS, numa=CELL.replace("1048576", str(2**53)), memory=""))
    with pytest.raises(LibvirtError, match="memory size of NUMA node '0' overflowed after alignment"):
        _words(domain)


def test_a_node_that_the_host_has_not_is_refused_at_the_start() -> None:
    domain = _define(_xml("<numatune><memory mode='strict' nodeset='0,7'/></numatune>"))
    with pytest.raises(LibvirtError, match="NUMA node 7 is unavailable"):
        _words(domain)


def test_pages_that_are_not_mounted_are_refused_at_the_start() -> None:
    domain = _define(_xml("<memoryBacking><hugepages><page size='16' unit='MiB'/></hugepages></memoryBacking>"))
    with pytest.raises(LibvirtError, match="Unable to find any usable hugetlbfs mount for 16384 KiB"):
        _words(domain)


def test_numad_chooses_for_processors_and_memory_together() -> None:
    for sections in (
        "<vcpu placement='auto' cpuset='1'>2</vcpu>",
        "<vcpu>2</vcpu><numatune><memory mode='strict' placement='auto'/></numatune>",
    ):
        domain = _define(_xml(sections))
        text = format_domain(domain, Style())
        assert "<vcpu placement='auto'>2</vcpu>" in text
        assert "<memory mode='strict' placement='auto'/>" in text
    with pytest.raises(LibvirtError, match="Advice from numad is needed"):
        _words(_define(_xml(sections)))
    words = " ".join(_words(domain, HostMemory(NODES.nodes, advised=frozenset((1,)))))
    assert '"host-nodes":[1],"policy":"bind"' in words


def test_a_restrictive_policy_is_the_control_groups_alone() -> None:
    domain = _define(_xml("<numatune><memory mode='restrictive' nodeset='0'/></numatune>"))
    assert not any("host-nodes" in word for word in _words(domain))


def test_preallocating_threads_run_where_qemu_may() -> None:
    tune = "<cputune><emulatorpin cpuset='4'/></cputune><numatune><memory nodeset='0-1'/></numatune>"
    backing = "<memoryBacking><allocation mode='immediate'/></memoryBacking>"
    words = _words(_define(_xml(backing + tune)))
    assert '{"qom-type":"thread-context","id":"tc-pc.ram","node-affinity":[1]}' in words


def test_the_balloon_leaves_what_the_definition_says() -> None:
    domain = _define(_xml("<currentMemory>524288</currentMemory>"))
    assert guest_memory.guest_memory(domain, host_defaults().settings).balloon_kib == 524288
    assert guest_memory.guest_memory(_define(_xml()), host_defaults().settings).balloon_kib is None


def test_threads_come_and_go() -> None:
    domain = _define(_xml("<iothreads>3</iothreads>"))
    assert "<iothreadids>" not in format_domain(domain, Style())
    with pytest.raises(LibvirtError, match="an IOThread is already using iothread_id '2'"):
        iothreads.add(domain, new(Iothread, id=2))
    iothreads.add(domain, new(Iothread, id=7))
    iothreads.remove(domain, 2)
    assert [thread.id for thread in iothreads.iothreads_of(domain)] == [1, 3, 7]
    assert "<iothreads>3</iothreads>\n  <iothreadids>\n    <iothread id='1'/>" in format_domain(domain, Style())
    with pytest.raises(LibvirtError, match="cannot find IOThread '2' in iothreadids list"):
        iothreads.remove(domain, 2)
    for number in (1, 3, 7):
        iothreads.remove(domain, number)
    assert domain.iothreads is None
    assert domain.iothread_ids is None


def test_a_virtio_mem_device_is_asked_for_whole_blocks() -> None:
    (device,) = _define(_device("virtio-mem", "<node>0</node><block unit='MiB'>4</block>")).devices.memories
    device.request(8192)
    assert device.requested_kib == 8192
    with pytest.raises(LibvirtError, match="integer multiple of block size"):
        device.request(6144)
    (module,) = _define(_device("dimm")).devices.memories
    with pytest.raises(LibvirtError, match="has no requested size"):
        module.request(8192)
