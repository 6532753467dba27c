"""Words, letters and keys that state a level."""

from __future__ import annotations

from typing import Literal, NamedTuple

Severity = Literal["error", "warning", "lower", "unknown"]
By = Literal["line", "crash", "syslog", "platform", "nothing"]


class Level(NamedTuple):
    """The level of a line: severity, the word for it, and what stated it."""

    severity: Severity
    word: str
    by: By

    @property
    def is_error(self) -> bool:
        """Whether it is an error or worse."""
        return self.severity == "error"

    @property
    def is_known(self) -> bool:
        """Whether the level is stated at all."""
        return self.severity != "unknown"


UNKNOWN = Level("unknown", "", "nothing")


def _names(words: str) -> list[str]:
    return words.split()


WORDS: dict[str, Severity] = {
    **dict.fromkeys(
        _names(
            "error err eror erro fatal fata ftl critical crit alert alrt emerg emergency panic pani"
            " pnc severe dpanic"
        ),
        "error",
    ),
    **dict.fromkeys(_names("warn warning wrn"), "warning"),
    **dict.fromkeys(
        _names(
            "info inf information informational notice note log pass ok debug debu dbg"
            " dbug trace trac trc trce fine finer finest verbose vrb config success http silly"
            " audit statement detail hint context system"
        ),
        "lower",
    ),
}
SMALL: dict[str, Severity] = {**WORDS, "fail": "error"}
"""``fail:`` is a level of .NET; in capitals it is a test result."""
LEVEL_KEYS = frozenset(
    _names(
        "level lvl severity levelname levelno level_name loglevel log_level log.level level.name l"
        " @l @level severitytext severity_text severity_number severitynumber level_value priority"
        " s"
    )
)
NO_NAMES = frozenset(
    _names(
        "a after an and any before by for found from got had has have in is last new next no not of"
        " on other previous saw seen some the this to was with without zero"
    )
)
"""Words of messages that are no logger names."""
SETTINGS = frozenset(("loglevel", "log_level", "log.level"))
"""Keys that a list of settings has too."""
LETTERS: dict[str, Severity] = {
    "I": "lower",
    "D": "lower",
    "V": "lower",
    "T": "lower",
    "W": "warning",
    "E": "error",
    "F": "error",
    "A": "error",
    "C": "error",
}
