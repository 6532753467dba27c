"""Tapes of the witnesses that a rehearsal does not serve: metrics, a log store, a log's file.

The rehearsal of another tape stays. The sections of its platform, tracker and database's platform
are replaced by the counterpart of one store, which holds the same scenario.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

from hour24 import config
from hour24.checkpoint.lanes import Lanes
from hour24.clock import SteppingClock
from hour24.rehearsal.vendors import counterpart
from hour24.rehearsal.vendors.part import server_of
from hour24.rehearsal.world import World
from tests import mutated
from tests.mutated import Tape, Taped
from tests.played import T0

STORES = ("prometheus", "loki", "logs")
GONE = ("sentry", "render", "supabase", "status_pages")
LEFT_OUT = ("SENTRY-RECEIVES", "SENTRY-FEED")


def record(tape: Tape, faults: tuple[str, ...], store: str, resources: ExitStack) -> Tape:
    """Ask one store everything that it is asked, in the scenario of another tape.

    A log's file has one answer: its bytes.
    """
    due = tape.context.checkpoint.due
    part = server_of(counterpart.of(store))(World(1, faults, T0, due))
    resources.callback(part.stop)
    text = Path(tape.context.production.path).read_text("utf-8")
    section = part.section()
    assert isinstance(section, Mapping)
    path = Path(tape.context.production.path).with_name(f"{store}.toml")
    path.write_text(_with(text, store, section), "utf-8")
    environ = {each.name: each.reveal() for each in tape.context.production.secrets}
    production = config.load(path, {**os.environ, **environ, **part.environ()})
    found = Tape(replace(tape.context, production=production), others=tape.others)
    if store == "logs":
        found.answers.append(Taped(store, "file", log_of(found).read_bytes()))
        return found
    names = mutated.asked_of(found.context, [store])
    with mutated.recording(found):
        lanes = Lanes(mutated.inquiry_of(found.context, SteppingClock(due)), set(names))
        for name in names:
            lanes.answer(name)
    return found


def log_of(tape: Tape) -> Path:
    """The file that the section [logs] names."""
    return Path(tape.context.production.witnesses["logs"].file)


def _with(text: str, store: str, section: Mapping[str, Any]) -> str:
    """The text of production.toml with this store in the place of the others."""
    for name in GONE:
        text = re.sub(rf"^\[+{name}\]+\n(?:[^\[\n].*\n)*\n?", "", text, flags=re.MULTILINE)
    text += f"\n[{store}]\n"
    for key, value in section.items():
        if isinstance(value, Mapping):
            inner = ", ".join(f"{name} = {json.dumps(each)}" for name, each in value.items())
            text += f"{key} = {{ {inner} }}\n"
        else:
            text += f"{key} = {json.dumps(value)}\n"
    for name in LEFT_OUT:
        text += f'\n[criteria.{name}]\napplies = false\nbecause = "there is no tracker"\n'
    return text
