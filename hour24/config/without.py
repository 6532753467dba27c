"""``[without]``: sources that a production does not have, and the criteria left out with them.

Rules of this module:

- It replaces ``[criteria.ID] applies = false`` with its reason, for each criterion that cannot be
  judged without these sources and that the file does not state by itself. Each is on every page.
- A sign-off criterion is left out when all that it rests on is.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterable, Mapping
from typing import Any

from hour24.config.form import nearest
from hour24.config.problems import Problems
from hour24.config.production import Applies, Without
from hour24.criteria import CRITERIA, tls
from hour24.witnesses import registry
from hour24.witnesses.port import INSTEAD, Measure, Witness

OF_SERVICE = {"websocket": "websocket", "latenc": "endpoints", "server_times": "endpoints"}
"""Beginning of a question's name -> the section that describes what it asks."""
OF_JOBS = "beats"
NAMED = {
    "canary": Measure.RECEIPT,
    "accepted_before": Measure.ACCEPTED,
    "status_pages": Measure.INCIDENTS,
}
"""Questions with another name than their measure."""
SECTIONS = ("endpoints", "websocket", "jobs")


def measure_of(question: str) -> Measure | None:
    """Return the measure that this question asks a witness for; None if it asks none."""
    name = re.sub(r"_(whole|window|since_t0)$", "", question)
    known = {each.value: each for each in Measure}
    return NAMED.get(question) or known.get(name)


def sections_of(question: str) -> tuple[str, ...]:
    """Return the sections, other than witnesses', that this question needs."""
    if question.startswith(OF_JOBS):
        return ("jobs",)
    return tuple(section for begins, section in OF_SERVICE.items() if question.startswith(begins))


def check(problems: Problems, stated: Without | None, described: Collection[str]) -> None:
    """Refuse sources that are not known, or that the file describes."""
    known = [*SECTIONS, *registry.own()]
    for number, name in enumerate(stated.sources if stated is not None else ()):
        key_path = ("without", "sources", number)
        if name not in known:
            close = nearest(name, known)
            hint = f" such as {close}" if close else ""
            problems.add(key_path, f"expected a section{hint}, got {json.dumps(name)}")
        elif name in described:
            problems.add(
                key_path, f"expected a source that this file does not describe, got [{name}]"
            )


def left_out(
    stated: Without | None, criteria: Mapping[str, Applies], described: Mapping[str, Witness]
) -> dict[str, Applies]:
    """Return the criteria of the file, and each one that is left out without these sources.

    Args:
        criteria: as the file states them.
        described: the witnesses that the file describes.
    """
    if stated is None:
        return dict(criteria)
    provided = {measure for one in described.values() for measure in one.measures}
    provided |= {one for one, other in INSTEAD.items() if other in provided}
    absent = _measures(stated.sources) - provided
    out = Applies(applies=False, because=stated.because)
    found = dict(criteria)
    gone = {name for name, one in criteria.items() if not one.applies}
    for one in CRITERIA.values():
        if one.id in criteria:
            continue
        needs = any(
            measure_of(name) in absent or set(sections_of(name)) & set(stated.sources)
            for name in one.needs
        )
        alone = not one.asks and bool(one.rests_on) and set(one.rests_on) <= gone
        if needs or alone:
            found[one.id] = out
            gone.add(one.id)
    return found


def unencrypted(
    data: Mapping[str, Any], base: str, criteria: Mapping[str, Applies]
) -> dict[str, Applies]:
    """Return the criteria, without that of certificates where no address of the service has one.

    Args:
        data: of the file.
        base: address that paths are below.
    """
    tables = [data["health"], *data.get("endpoints", {}).values()]
    tables += [data["websocket"]] if data.get("websocket") else []
    stated = [str(each["url"]) for each in tables]
    urls = [f"{base}{url}" if url.startswith("/") else url for url in stated]
    urls += data.get("tls", {}).get("addresses", [])
    encrypted = any(each.startswith(("https://", "wss://")) for each in urls)
    if encrypted or tls.EXPIRY.id in criteria:
        return dict(criteria)
    because = "no address of the service is https or wss"
    return {**criteria, tls.EXPIRY.id: Applies(applies=False, because=because)}


def _measures(sources: Iterable[str]) -> set[Measure]:
    witnesses = registry.described([name for name in sources if name not in SECTIONS], {})
    return {measure for one in witnesses.values() for measure in one.measures}
