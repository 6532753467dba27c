"""The rehearsal's fixtures are data files."""

from __future__ import annotations

from hour24.rehearsal import data
from hour24.rehearsal.incidents import KINDS, LOG_ERRORS
from hour24.rehearsal.settings import CRITICAL, NORMAL


def test_every_kind_of_error_is_read_from_the_file() -> None:
    """Each under its own key, with the defaults of its type for what the file leaves out."""
    stated = data.toml("incidents.toml")["kinds"]
    assert [kind["key"] for kind in stated] == list(KINDS)
    assert KINDS["vapi"].status == 504
    assert KINDS["vapi"].line_level == "error"
    assert len(set(LOG_ERRORS)) == 12


def test_classes_and_contacts_are_part_of_every_rehearsals_file() -> None:
    """The file is read as it is written into production.toml."""
    assert data.text("known.toml").count("[[issues.") == len(NORMAL) + len(CRITICAL)
    assert len(data.toml("known.toml")["contacts"]) == 3


def test_a_shape_is_a_copy() -> None:
    """A fault that changes one answer does not change the next."""
    first = data.shape("sentry.json", "project_detail")
    first["avatar"]["avatarType"] = "changed"
    assert data.shape("sentry.json", "project_detail")["avatar"]["avatarType"] == "letter_avatar"
