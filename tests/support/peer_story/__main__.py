"""Tells the story to one daemon and prints what came of it.

Usage, in the root of the project: `python3 -m tests.support.peer_story URI PREFIX FOLDER KERNEL [CHAPTER]…`.
Runs under the system's Python, whose libvirt binding is the stock client.
Prints a line of JSON a chapter: a list of pairs.
"""

from __future__ import annotations

import json
import sys
import threading
import time
import traceback
from pathlib import Path

import libvirt

from tests.support.peer_story.chapters import CHAPTERS
from tests.support.peer_story.recorder import Recorder, plain


def _loop() -> None:
    while True:
        libvirt.virEventRunDefaultImpl()


def _sweep(recorder: Recorder) -> None:
    """Remove what a chapter left behind."""
    for dom in recorder.conn.listAllDomains():
        if dom.name().startswith(f"{recorder.prefix}-"):
            for end in (dom.destroy, lambda dom=dom: dom.undefineFlags(libvirt.VIR_DOMAIN_UNDEFINE_NVRAM)):
                try:
                    end()
                except libvirt.libvirtError:
                    continue


def main() -> None:
    """Tell all chapters, or those that are named."""
    uri, prefix, folder, kernel, *wanted = sys.argv[1:]
    libvirt.registerErrorHandler(lambda *_: None, None)
    libvirt.virEventRegisterDefaultImpl()
    libvirt.virEventAddTimeout(200, lambda *_: None, None)
    threading.Thread(target=_loop, daemon=True).start()
    recorder = Recorder(uri, prefix, Path(folder), Path(kernel))
    for word, chapter in CHAPTERS.items():
        if wanted and word not in wanted:
            continue
        recorder.chapter = word
        begun = time.monotonic()
        try:
            chapter(recorder)
        except Exception:  # a chapter that breaks off is a result too
            recorder.note("broke off", plain(traceback.format_exc()))
        _sweep(recorder)
        recorder.events("the end", quiet=0.1)
        recorder.steps.pop()
        print(json.dumps(recorder.steps), flush=True)
        recorder.steps = []
        print(f"{prefix} {word}: {time.monotonic() - begun:.1f} s", file=sys.stderr)


main()
