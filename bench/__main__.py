"""The benchmark's command: `./dev bench [--only NAME ...] [--guests N] [--json]`."""

from __future__ import annotations

import argparse
import json
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from bench.hosts import REPOSITORY, Guesthoused, Host, Libvirtd

#: The system's Python, which has python3-libvirt.
SYSTEM_PYTHON = "/usr/bin/python3"


@dataclass(frozen=True)
class Measure:
    """A row of the table: the worker's method, how often, the unit's factor, and the promised ratio if there is one."""

    name: str
    title: str
    count: int
    rounds: int
    unit: str = "us"
    promise: float | None = None


MEASURES = (
    Measure("round_trip", "round trip", 2000, 5, promise=1.0),
    Measure("state", "state", 2000, 5, promise=1.0),
    Measure("xml", "XML", 1000, 5),
    Measure("lookup", "lookup by name", 2000, 5, promise=1.0),
    Measure("define", "define", 40, 5, promise=1.0),
    Measure("define_full", "1,000 full documents defined", 200, 5, promise=1.0),
    Measure("fill", "define 500", 500, 1),
    Measure("list_all", "list of 500", 20, 5, promise=1.0),
    Measure("stats_all", "statistics of 500", 20, 5, promise=0.7),
    Measure("start", "start", 5, 3, "ms", 0.3),
    Measure("destroy", "destroy", 5, 3, "ms", 0.1),
    Measure("start_many", "20 starts at once", 20, 3, "ms", 0.4),
    Measure("destroy_many", "20 destroyed at once", 20, 3, "ms"),
    Measure("frozen", "statistics, one guest frozen", 1, 1, "ms"),
    Measure("refresh_new", "refresh of 2,000 new volumes", 2000, 5, "ms", 1.0),
    Measure("refresh_same", "refresh of 2,000 unchanged", 2000, 3, "ms", 0.2),
    Measure("vol_create_raw", "raw volume created", 50, 1, "ms", 1.0),
    Measure("vol_create_qcow2", "qcow2 volume created", 20, 1, "ms", 1.0),
    Measure("vol_clone_raw", "16 MiB cloned, raw", 20, 1, "ms", 1.0),
    Measure("vol_clone_qcow2", "16 MiB cloned to qcow2", 20, 1, "ms", 1.0),
    Measure("vol_delete", "volume deleted", 1, 1, "ms", 1.0),
    Measure("vol_upload", "1 GiB uploaded", 3, 1, "ms", 1.0),
    Measure("net_start", "network started", 10, 3, "ms", 1.0),
    Measure("net_destroy", "network stopped", 10, 3, "ms", 1.0),
    Measure("net_start_many", "50 networks started at once", 50, 1, "ms", 0.33),
    Measure("net_destroy_many", "50 networks stopped at once", 50, 1, "ms"),
    Measure("vol_download", "1 GiB downloaded", 3, 1, "ms", 1.0),
)
FACTORS = {"us": 1e6, "ms": 1e3, "KiB": 1.0}
Samples = dict[str, list[float]]


class Worker:
    """A client process of one host."""

    def __init__(self, host: Host, tiny: Path) -> None:
        arguments = [host.uri, str(tiny / "vmlinuz"), str(tiny / "initrd.gz"), "bench"]
        self.process = subprocess.Popen(
            [SYSTEM_PYTHON, str(REPOSITORY / "bench/worker.py"), *arguments],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        self._line()

    def _line(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline()

    def run(self, measure: str, count: int) -> list[float] | str:
        """Seconds of each sample, or what went wrong."""
        assert self.process.stdin is not None
        self.process.stdin.write(f"{measure} {count}\n")
        self.process.stdin.flush()
        reply = json.loads(self._line() or '{"error": "the client died"}')
        return str(reply["error"]) if isinstance(reply, dict) else [float(value) for value in reply]

    def close(self) -> None:
        """End the client."""
        self.process.kill()
        self.process.wait()


def measure_clients(
    hosts: list[Host], workers: dict[str, Worker], guests: int, results: dict[str, Samples], only: list[str]
) -> None:
    """Run the measures on every host in turn, round by round; all where `only` names none."""
    for measure in [one for one in MEASURES if not only or one.name in only]:
        count = guests if measure.name == "fill" else measure.count
        for _ in range(measure.rounds):
            for host in hosts:
                outcome = workers[host.name].run(measure.name, count)
                if isinstance(outcome, str):
                    print(f"bench: {measure.title} on {host.name}: {outcome}", file=sys.stderr)
                else:
                    results[measure.title].setdefault(host.name, []).extend(outcome)


def measure_commands(host: Host, results: dict[str, Samples], runs: int = 25) -> None:
    """`guest list` against `virsh list`, both on `host`, in turn."""
    guest = str(Path(sys.executable).parent / "guest")
    virsh = shutil.which("virsh")
    for _ in range(runs):
        for name, program in (("guesthoused", guest), ("libvirtd", virsh)):
            if program is None:
                continue
            begun = time.perf_counter()
            subprocess.run([program, "-c", host.uri, "list"], check=True, stdout=subprocess.DEVNULL, timeout=30)
            results["guest list / virsh list"].setdefault(name, []).append(time.perf_counter() - begun)


def measure_restarts(hosts: list[Host], results: dict[str, Samples], runs: int = 3) -> None:
    """The time from exec until a client can connect, with the definitions in place."""
    for _ in range(runs):
        for host in hosts:
            host.stop()
            results["daemon start, 500 defined"].setdefault(host.name, []).append(host.start())


UNITS = {measure.title: measure.unit for measure in MEASURES} | {
    "memory, 500 defined": "KiB",
    "guest list / virsh list": "ms",
    "daemon start, 500 defined": "ms",
}
PROMISES = {measure.title: measure.promise for measure in MEASURES} | {
    "memory, 500 defined": 1.3,
    "guest list / virsh list": 1.5,
}


def table(results: dict[str, Samples]) -> str:
    """The medians and ratios as lines."""
    lines = [f"{'':<30} {'guesthoused':>14} {'libvirtd':>14} {'ratio':>7} {'promised':>9}"]
    for title, samples in results.items():
        unit = UNITS[title]
        cells, medians = [], {}
        for name in ("guesthoused", "libvirtd"):
            values = samples.get(name)
            if values:
                medians[name] = statistics.median(values)
                cells.append(f"{medians[name] * FACTORS[unit]:>11.1f} {unit:<2}")
            else:
                cells.append(f"{'-':>14}")
        ratio = f"{medians['guesthoused'] / medians['libvirtd']:.2f}" if len(medians) == 2 else "-"
        promise = PROMISES.get(title)
        lines.append(f"{title:<30} {cells[0]:>14} {cells[1]:>14} {ratio:>7} {'' if promise is None else promise:>9}")
    return "\n".join(lines)


def main() -> None:
    """Run it all and print the table."""
    parser = argparse.ArgumentParser(prog="./dev bench", description="Compare guesthoused with libvirtd in one run.")
    parser.add_argument("--guests", type=int, default=500, help="how many guests are defined for list and statistics")
    parser.add_argument("--alone", action="store_true", help="measure guesthoused only")
    names = [measure.name for measure in MEASURES]
    parser.add_argument("--only", nargs="+", choices=names, default=[], help="these measures and nothing else")
    parser.add_argument("--json", action="store_true", help="print every sample, in seconds and KiB")
    options = parser.parse_args()
    results: dict[str, Samples] = {title: {} for title in UNITS}
    with tempfile.TemporaryDirectory(prefix="guesthouse-bench-") as folder:
        hosts: list[Host] = [Guesthoused("guesthoused", Path(folder) / "guesthoused")]
        reason = Libvirtd.missing()
        if not options.alone and not reason:
            hosts.append(Libvirtd("libvirtd", Path(folder) / "libvirtd"))
        elif reason:
            print(f"bench: without the peer: {reason}", file=sys.stderr)
        workers: dict[str, Worker] = {}
        try:
            for host in hosts:
                host.start()
                workers[host.name] = Worker(host, REPOSITORY / ".cache/tiny")
            measure_clients(hosts, workers, options.guests, results, options.only)
            if not options.only:
                for host in hosts:
                    results["memory, 500 defined"][host.name] = [float(host.rss())]
                measure_commands(hosts[0], results)
                measure_restarts(hosts, results)
        finally:
            for worker in workers.values():
                worker.run("refresh_end", 0)
                worker.run("vol_end", 0)
                worker.close()
            for host in hosts:
                host.stop()
    print(json.dumps(results, indent=1) if options.json else table(results))


if __name__ == "__main__":
    main()
