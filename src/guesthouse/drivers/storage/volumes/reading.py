"""What the worker of a pool says of a volume, as the facts that the driver keeps."""

from __future__ import annotations

from typing import Final, cast

from guesthouse.drivers.storage.backend import BackingFacts, Survey, VolumeFacts
from guesthouse.qemu.json_value import Json, JsonObject, as_int, as_list, as_object, text_of

_NUMBERS: Final = ("capacity", "allocation", "physical", "mode", "uid", "gid")


def volume(path: str, item: JsonObject) -> VolumeFacts:
    """A volume of the pool at `path`."""
    name = text_of(item, "name")
    place = f"{path.rstrip('/')}/{name}"
    capacity, allocation, physical, mode, uid, gid = _numbers([item[key] for key in _NUMBERS])
    return VolumeFacts(
        name=name,
        kind=text_of(item, "kind"),
        path=place,
        key=place,
        format=text_of(item, "format"),
        capacity=capacity,
        allocation=allocation,
        physical=physical,
        mode=mode,
        uid=uid,
        gid=gid,
        label=text_of(item, "label"),
        times=times(item["times"]),
        compat=text_of(item, "compat"),
        cluster=as_int(item.get("cluster", 0), "cluster"),
        features=frozenset(str(one) for one in as_list(item.get("features", []), "features")),
        encryption=text_of(item, "encryption"),
        backing=backing(item.get("backing")),
        identity=tuple(_numbers(as_list(item["identity"], "the identity"))),
    )


def _numbers(values: list[Json]) -> list[int]:
    """These values, which are numbers. There are many of them: they are checked together."""
    if {*map(type, values)} != {int}:
        return [as_int(value, "a number of a volume") for value in values]
    return cast(list[int], values)


def times(value: Json) -> tuple[int, int, int]:
    """When a file was read, written and changed, in nanoseconds."""
    atime, mtime, ctime = _numbers(as_list(value, "the times"))
    return atime, mtime, ctime


def backing(value: Json) -> BackingFacts | None:
    """The image that a volume lies on."""
    if value is None:
        return None
    item = as_object(value, "a backing image")
    path, format_ = text_of(item, "path"), text_of(item, "format")
    if "mode" not in item:
        return BackingFacts(path, format_)
    return BackingFacts(
        path,
        format_,
        mode=as_int(item["mode"], "mode"),
        uid=as_int(item["uid"], "uid"),
        gid=as_int(item["gid"], "gid"),
        label=text_of(item, "label"),
        times=times(item["times"]),
    )


def survey(found: JsonObject, volumes: dict[str, VolumeFacts]) -> Survey:
    """The sizes of a pool's file system, its directory's owner and bits, and these volumes."""
    capacity, available = as_int(found["capacity"], "capacity"), as_int(found["available"], "available")
    return Survey(
        capacity=capacity,
        available=available,
        allocation=capacity - available,
        volumes=volumes,
        mode=as_int(found["mode"], "mode"),
        uid=as_int(found["uid"], "uid"),
        gid=as_int(found["gid"], "gid"),
        label=text_of(found, "label"),
    )
