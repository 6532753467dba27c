"""Finds witnesses: our own folders, other packages, files that production.toml names.

Rules of this module:

- A witness is imported only when its section is described.
- The name of a section decides: a file named in production.toml before our own folder, that
  before another package's entry point in the group ``hour24.witnesses``.
- A witness must be complete; a refusal names the first thing that is missing.
"""

from __future__ import annotations

import hashlib
import importlib
import importlib.util
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path

from hour24.witnesses import sections
from hour24.witnesses.port import Measure, Witness

GROUP = "hour24.witnesses"
FOLDER = Path(__file__).parent


class NoWitness(ValueError):
    """What was named is no witness; the text says what was expected and found."""


def of_file(path: Path) -> Witness:
    """Return the witness in a file. Raises: NoWitness."""
    name = f"hour24_witness_{path.stem}_{hashlib.sha256(str(path).encode()).hexdigest()[:8]}"
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None or not path.is_file():
        raise NoWitness(f"expected a Python file, got nothing of the kind: {path}")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # a Struct's annotations are looked up there
    try:
        spec.loader.exec_module(module)
    except Exception as problem:  # noqa: BLE001  a user's own code may fail in any way
        raise NoWitness(
            f"expected a file that imports, got {type(problem).__name__}: {problem} ({path})"
        ) from None
    return checked(getattr(module, "WITNESS", None), f"WITNESS in {path}")


def described(names: Iterable[str], files: Mapping[str, Witness]) -> dict[str, Witness]:
    """Return the witnesses among these sections of production.toml, in their order.

    Raises: NoWitness, when an entry point is no witness.
    """
    found: dict[str, Witness] = {}
    for name in names:
        witness = files.get(name) or _own(name) or _of_package(name)
        if witness is not None:
            found[name] = witness
    return found


def own() -> tuple[str, ...]:
    """Return the names of the witnesses that come with hour24."""
    return tuple(sorted(each.parent.name for each in FOLDER.glob("*/__init__.py")))


def offered() -> tuple[str, ...]:
    """Return the names of the witnesses that other packages provide."""
    from importlib.metadata import entry_points  # late: it costs more than this whole module

    return tuple(sorted({each.name for each in entry_points(group=GROUP)}))


def _own(name: str) -> Witness | None:
    if not name.isidentifier() or not (FOLDER / name / "__init__.py").is_file():
        return None
    found = importlib.import_module(f"hour24.witnesses.{name}").WITNESS
    assert isinstance(found, Witness)
    return found


def _of_package(name: str) -> Witness | None:
    from importlib.metadata import entry_points  # late: it costs more than this whole module

    for each in entry_points(group=GROUP, name=name):
        where = f"entry point {each.value}"
        try:
            found = each.load()
        except Exception as problem:  # noqa: BLE001  another's package may fail in any way
            raise NoWitness(
                f"{where}: expected one that imports, got {type(problem).__name__}: {problem}"
            ) from None
        witness = checked(found, where)
        if witness.section != name:
            raise NoWitness(f"{where}: expected section {name}, got {witness.section}")
        return witness
    return None


def checked(found: object, where: str) -> Witness:
    """Return ``found`` if it is a complete witness. Raises: NoWitness."""
    if not isinstance(found, Witness):
        raise NoWitness(f"{where}: expected a Witness, got {type(found).__name__}")
    for measure in found.measures:
        if not isinstance(measure, Measure):
            raise NoWitness(f"{where}: measures: expected a Measure, got {measure!r}")
    for name, field in sections.fields_of(found.at).items():
        if len(field.roles) != 1:
            raise NoWitness(
                f"{where}: {found.section}.{name}: expected one role of WHERE, LIMIT and ASKING, "
                f"got {len(field.roles)}"
            )
        if field.secret and field.variable is None:
            raise NoWitness(
                f"{where}: {found.section}.{name}: expected a Variable that describes the "
                "environment variable, got none"
            )
    return found
