"""A guest's clocks: `<clock>` and its timers.

Format: https://libvirt.org/formatdomain.html#time-keeping
"""

from __future__ import annotations

from guesthouse.errors import XmlError
from guesthouse.model.binding import attr, default, element, many, one, opt
from guesthouse.model.kinds import TEXT, UINT, ULL, YES_NO, matching, one_of


@element("catchup", omit_empty=True)
class Catchup:
    """Limits of catching up on lost ticks, in nanoseconds."""

    threshold: int | None = opt(UINT)
    slew: int | None = opt(UINT)
    limit: int | None = opt(UINT)


@element("timer")
class Timer:
    """One timer of the machine. `frequency` (Hz) and `mode` belong to the time stamp counter."""

    name: str = attr(one_of("platform", "pit", "rtc", "hpet", "tsc", "kvmclock", "hypervclock", "armvtimer"))
    present: bool | None = opt(YES_NO)
    tickpolicy: str | None = opt(one_of("delay", "catchup", "merge", "discard"))
    track: str | None = opt(one_of("boot", "guest", "wall", "realtime"))
    frequency: int | None = opt(ULL)
    mode: str | None = opt(one_of("auto", "native", "emulate", "paravirt", "smpsafe"))
    catchup: Catchup | None = one(Catchup)


@element("clock")
class Clock:
    """What the guest's clock starts from.

    `adjustment` is `reset` for utc and localtime, and seconds for `variable`, whose `basis` is utc or localtime.
    `start` is in seconds since the epoch, for `absolute`.
    """

    offset: str = default(one_of("utc", "localtime", "variable", "timezone", "absolute"), "utc")
    adjustment: str | None = opt(matching(r"reset|[+-]?[0-9]{1,18}", "a number of seconds, or 'reset'"))
    basis: str | None = opt(one_of("utc", "localtime"))
    timezone: str | None = opt(TEXT)
    start: int | None = opt(ULL)
    timers: list[Timer] = many(Timer)

    def parsed(self) -> None:
        """Check that every attribute belongs to the offset; an adjusted utc or localtime is really `variable`."""
        if self.offset in ("utc", "localtime") and self.adjustment not in (None, "reset"):
            self.basis = self.offset
            self.offset = "variable"
        if self.offset == "variable":
            if self.adjustment == "reset":
                raise XmlError("unknown clock adjustment 'reset'", hint="it belongs to offset utc or localtime")
            self.adjustment = str(int(self.adjustment or 0))
            self.basis = self.basis or "utc"
        if (self.timezone is not None) != (self.offset == "timezone"):
            raise XmlError("missing 'timezone' attribute for clock with offset='timezone'")
        if (self.start is not None) != (self.offset == "absolute"):
            raise XmlError("missing 'start' attribute for clock with offset='absolute'")
        if self.basis is not None and self.offset != "variable":
            raise XmlError(f"the clock's basis belongs to offset='variable', not to '{self.offset}'")
        if self.adjustment is not None and self.offset in ("timezone", "absolute"):
            raise XmlError(f"the clock's adjustment does not belong to offset='{self.offset}'")
        names = [timer.name for timer in self.timers]
        for name in names:
            if names.count(name) > 1:
                raise XmlError(f"timer '{name}' is given twice", hint="keep one of them")

    def timer(self, name: str) -> Timer | None:
        """The timer of that name, if the document has it."""
        return next((timer for timer in self.timers if timer.name == name), None)
