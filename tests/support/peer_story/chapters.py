"""The chapters of the story, in their order."""

from __future__ import annotations

from collections.abc import Callable

from tests.support.peer_story.block_jobs import block_jobs
from tests.support.peer_story.definitions import define_errors
from tests.support.peer_story.devices import devices
from tests.support.peer_story.documents import xml
from tests.support.peer_story.figures import figures
from tests.support.peer_story.host import connect
from tests.support.peer_story.lists import lists
from tests.support.peer_story.recorder import Recorder
from tests.support.peer_story.states import transitions
from tests.support.peer_story.systems import agent, linux

CHAPTERS: dict[str, Callable[[Recorder], None]] = {
    "connect": connect,
    "define": define_errors,
    "lists": lists,
    "transitions": transitions,
    "xml": xml,
    "figures": figures,
    "linux": linux,
    "agent": agent,
    "devices": devices,
    "block jobs": block_jobs,
}
