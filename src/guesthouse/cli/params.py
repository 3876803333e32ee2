"""Typed parameters as text and as JSON, and text as typed parameters."""

from __future__ import annotations

from guesthouse.cli.failure import CommandError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from guesthouse.cli.context import Json
    from guesthouse.client.params import TypedParam


def shown(param: TypedParam) -> str:
    """The value as virsh prints it."""
    if isinstance(param.value, bool):
        return "yes" if param.value else "no"
    return f"{param.value:f}" if isinstance(param.value, float) else str(param.value)


def raw(param: TypedParam) -> str:
    """The value as libvirt's own formatter writes it: a boolean is a number."""
    if isinstance(param.value, bool):
        return str(int(param.value))
    return f"{param.value:g}" if isinstance(param.value, float) else str(param.value)


def value(param: TypedParam) -> Json:
    """The value for JSON."""
    return param.value


def parse(like: TypedParam, text: str) -> TypedParam:
    """A parameter with the name and type of `like` and the value of `text`. Raises CommandError where it is none."""
    from guesthouse.client.params import parsed

    param = parsed(like, text)
    if param is None:
        raise CommandError(f"Invalid value '{text}' for parameter '{like.field}'")
    return param
