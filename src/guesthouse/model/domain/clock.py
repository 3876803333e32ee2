"""A guest's clocks: `<clock>` and its timers.

Format: https://libvirt.org/formatdomain.html#time-keeping
"""

from __future__ import annotations

from guesthouse.errors import XmlError
from guesthouse.model.binding import attr, default, element, many, one, opt
from guesthouse.model.kinds import TEXT, ULL, YES_NO, integer, matching, one_of


@element("catchup", omit_empty=True)
class Catchup:
    """Limits of catching up on lost ticks, in nanoseconds; nobody takes 0 for a limit."""

    threshold: int | None = opt(ULL)
    slew: int | None = opt(ULL)
    limit: int | None = opt(ULL)

    def parsed(self) -> None:
        """Zero is as good as nothing."""
        self.threshold, self.slew, self.limit = self.threshold or None, self.slew or None, self.limit or None


@element("timer")
class Timer:
    """One timer of the machine. `frequency` (Hz) and `mode` belong to the time stamp counter.

    QEMU knows no modes of that counter, and catches up without limits: `mode` other than `auto` is refused, `catchup`
    is kept and goes no further, as in libvirt.
    """

    name: str = attr(one_of("platform", "pit", "rtc", "hpet", "tsc", "kvmclock", "hypervclock", "armvtimer"))
    present: bool | None = opt(YES_NO)
    tickpolicy: str | None = opt(one_of("delay", "catchup", "merge", "discard"))
    track: str | None = opt(one_of("boot", "guest", "wall", "realtime"))
    frequency: int | None = opt(ULL)
    mode: str | None = opt(one_of("auto", "native", "emulate", "paravirt", "smpsafe"))
    catchup: Catchup | None = one(Catchup)

    def parsed(self) -> None:
        """Leave out what belongs to the time stamp counter alone."""
        if self.name != "tsc":
            self.frequency = self.mode = None
        self.frequency = self.frequency or None


@element("clock", drops=("@adjustment0",))
class Clock:
    """What the guest's clock starts from.

    `adjustment` is `reset` for utc and localtime, and seconds for `variable`, whose `basis` is utc or localtime.
    `start` is in seconds since the epoch, for `absolute`. `adjustment0` is the adjustment that a running guest was
    started with: QEMU tells changes that the guest makes from there. What belongs to another offset is left out.
    """

    offset: str = default(one_of("utc", "localtime", "variable", "timezone", "absolute"), "utc")
    adjustment: str | None = opt(matching(r"reset|[+-]?[0-9]{1,18}", "a number of seconds, or 'reset'"))
    basis: str | None = opt(one_of("utc", "localtime"))
    timezone: str | None = opt(TEXT)
    start: int | None = opt(ULL)
    adjustment0: int | None = opt(integer(), status=True)
    timers: list[Timer] = many(Timer)

    def parsed(self) -> None:
        """An adjusted utc or localtime is really `variable`."""
        if self.offset in ("utc", "localtime") and self.adjustment not in (None, "reset"):
            self.basis = self.offset
            self.offset = "variable"
        if self.offset == "variable":
            if self.adjustment == "reset":
                raise XmlError("unknown clock adjustment 'reset'", hint="it belongs to offset utc or localtime")
            self.adjustment = str(int(self.adjustment or 0))
            self.basis = self.basis or "utc"
        else:
            self.basis = None
            self.adjustment = self.adjustment if self.offset in ("utc", "localtime") else None
        if self.offset == "timezone" and self.timezone is None:
            raise XmlError("missing 'timezone' attribute for clock with offset='timezone'")
        if self.offset == "absolute" and self.start is None:
            raise XmlError("missing 'start' attribute for clock with offset='absolute'")
        self.timezone = self.timezone if self.offset == "timezone" else None
        self.start = self.start if self.offset == "absolute" else None
        names = [timer.name for timer in self.timers]
        for name in names:
            if names.count(name) > 1:
                raise XmlError(f"timer '{name}' is given twice", hint="keep one of them")

    def changed(self, offset: int) -> bool:
        """Note that the guest set its clock, `offset` seconds from the start's. False for clocks without an offset."""
        if self.offset != "variable" or self.adjustment0 is None:
            return False
        self.adjustment = str(self.adjustment0 + offset)
        return True

    def timer(self, name: str) -> Timer | None:
        """The timer of that name, if the document has it."""
        return next((timer for timer in self.timers if timer.name == name), None)
