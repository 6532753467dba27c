"""Each witness has its counterpart in the rehearsal, and each counterpart is whole."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from msgspec import structs

from hour24.rehearsal.faults import FAULTS
from hour24.rehearsal.vendors import counterpart
from hour24.rehearsal.vendors.counterpart import FOLDER, WAYS, Counterpart, counterparts
from hour24.rehearsal.vendors.part import Part, server_of
from hour24.rehearsal.vendors.web import Vendor
from hour24.witnesses import registry


def problems(name: str) -> Iterator[str]:
    """The missing and wrong parts of a witness's counterpart; empty when it is whole."""
    folder = f"hour24/rehearsal/vendors/{name}"
    if not (FOLDER / name / "__init__.py").is_file():
        yield f"{folder}: expected the witness's counterpart, got no folder"
        return
    try:
        found = counterpart.of(name)
    except AttributeError:
        yield f"{folder}: expected the value COUNTERPART, got none"
        return
    yield from incomplete(name, found)


def incomplete(name: str, found: Counterpart) -> Iterator[str]:
    """The missing and wrong parts of this value."""
    if not found.title:
        yield f"{name}: title: expected a text, got none"
    try:
        server = server_of(found)
    except (AttributeError, ImportError, ValueError):
        yield f"{name}: server: expected module:name, got {found.server}"
        return
    if not issubclass(server, Part):
        yield f"{name}: server: expected a Part, got {server.__name__}"
        return
    if server.section is Part.section:
        yield f"{name}: section: expected its section of production.toml, got none"
    if bool(found.ways) == bool(found.no_ways):
        yield f"{name}: ways: expected the ways in which it fails, or the reason why it has none"
    if found.ways and not issubclass(server, Vendor):
        yield f"{name}: ways: expected a Vendor, which acts them out, got {server.__name__}"
    if issubclass(server, Vendor) and server.name != name:
        yield f"{name}: server: expected the name {name}, got {server.name}"
    for way in found.ways:
        if way not in WAYS:
            yield f"{name}: ways: expected one of {', '.join(WAYS)}, got {way}"
    for fault in found.kinds(name):
        if fault not in FAULTS:
            yield f"{name}: faults: expected {fault} in the table, got none"
        if not fault.startswith(f"{name}_"):
            yield f"{name}: faults: expected a name that begins with {name}_, got {fault}"


@pytest.mark.parametrize("name", sorted({*registry.own(), *counterparts()}))
def test_each_witness_has_its_whole_counterpart(name: str) -> None:
    """A folder of its name with a server, a section, and the ways in which it fails."""
    assert name in registry.own(), "the counterpart of no witness"
    assert list(problems(name)) == []


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"title": ""}, "render: title: expected a text, got none"),
        ({"server": "nothing.at.all:X"}, "server: expected module:name, got nothing.at.all:X"),
        ({"server": "pathlib:Path"}, "server: expected a Part, got Path"),
        ({"server": f"{Part.__module__}:Part"}, "section: expected its section"),
        ({"server": f"{Vendor.__module__}:Vendor"}, "section: expected its section"),
        ({"ways": {}}, "ways: expected the ways in which it fails, or the reason"),
        ({"no_ways": "it is advisory"}, "ways: expected the ways in which it fails, or the reason"),
        ({"ways": {"mute": "is mute"}}, "ways: expected one of unreachable"),
        (
            {"server": "hour24.rehearsal.vendors.database.server:Database"},
            "ways: expected a Vendor, which acts them out, got Database",
        ),
        (
            {"server": "hour24.rehearsal.vendors.sentry.server:Sentry"},
            "server: expected the name render, got sentry",
        ),
        (
            {"faults": {"lost": counterpart.Kind("is lost")}},
            "faults: expected lost in the table, got none",
        ),
    ],
)
def test_a_forgotten_part_of_a_counterpart_is_named(change: dict[str, object], says: str) -> None:
    """Each by its own words."""
    changed = structs.replace(counterparts()["render"], **change)
    assert any(says in problem for problem in incomplete("render", changed))


def test_a_witness_without_a_counterpart_is_named() -> None:
    """Its folder, or the value in it."""
    assert list(problems("nobody")) == [
        "hour24/rehearsal/vendors/nobody: expected the witness's counterpart, got no folder"
    ]


def test_the_first_witnesses_of_the_file_are_the_ranked_ones() -> None:
    """Which of two that provide a measure is asked does not depend on the name of a new one."""
    ranks = [each.rank for each in counterparts().values()]
    assert ranks == sorted(ranks)
    assert list(counterparts())[:2] == ["sentry", "render"]
