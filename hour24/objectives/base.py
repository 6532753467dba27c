"""The base class of objectives: a limit as data, with one judgement.

Rules of this module:

- An objective is frozen data; the record stores its class name and its fields, and
  :func:`from_plain` rebuilds it from them.
- Evidence is passed by name, and each name has its type; another type is a bug of ours, found
  before anything is concluded. Names in ``needs`` must have an answer: an
  :class:`~hour24.evidence.Unanswered` among them is INCONCLUSIVE with its code. Names in
  ``may`` may be absent or unanswered; the objective defines what that means.
- :meth:`Objective.judge` is final; an objective writes :meth:`Objective.conclude`.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import UnionType
from typing import Any, ClassVar, TypeVar, get_args

import msgspec
from msgspec import Struct

from hour24.evidence import Evidence, Unanswered
from hour24.verdict import Outcome, Verdict
from hour24.watch import Window

Kind = type[Evidence] | UnionType
Kinds = Mapping[str, Kind]
"""Name -> the type of evidence that is passed under it."""
Each = TypeVar("Each", bound=Evidence)
_BY_NAME: dict[str, type[Objective]] = {}


class Objective(Struct, frozen=True, kw_only=True):
    """A limit. Subclasses define which evidence they need and how it is judged."""

    needs: ClassVar[Kinds] = {"evidence": Evidence}
    may: ClassVar[Kinds] = {}

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        _BY_NAME[cls.__name__] = cls

    def judge(self, evidence: Mapping[str, Evidence]) -> Verdict:
        """The verdict on this evidence.

        Raises: TypeError, when evidence is missing or has the wrong type (a bug of ours).
        """
        unknown = set(evidence) - set(self.needs) - set(self.may)
        absent = set(self.needs) - set(evidence)
        if unknown or absent:
            raise TypeError(
                f"{type(self).__name__}: evidence: expected {tuple(self.needs)} and perhaps "
                f"{tuple(self.may)}, got {tuple(evidence)}"
            )
        for name, answer in evidence.items():
            kind = self.needs.get(name) or self.may[name]
            if not isinstance(answer, kind | Unanswered):
                raise TypeError(f"{name}: expected {_kind(kind)}, got {type(answer).__name__}")
        for name in self.needs:
            answer = evidence[name]
            if isinstance(answer, Unanswered):
                return self.unmeasured(answer.code, answer.reason)
        return self.conclude(evidence)

    def conclude(self, evidence: Mapping[str, Evidence]) -> Verdict:
        """The verdict, when everything needed was answered."""
        raise NotImplementedError

    def unmeasured(
        self, code: str, reason: str, figures: Mapping[str, float] | None = None
    ) -> Verdict:
        """INCONCLUSIVE, because nothing was measured that the limit applies to."""
        return Verdict(
            outcome=Outcome.INCONCLUSIVE,
            code=code,
            reason=reason,
            observed="not measured",
            limit=self.limit_text(),
            figures=dict(figures or {}),
        )

    def limit_text(self) -> str:
        """The limit in a few words: ``below 1 %``."""
        return ""

    def to_plain(self) -> dict[str, Any]:
        """Name and fields, as JSON-able data."""
        return {"name": type(self).__name__, **msgspec.to_builtins(self)}


def defaults(name: str) -> dict[str, Any]:
    """The defaults of the objective with this name, as JSON-able data."""
    fields = msgspec.structs.fields(_BY_NAME[name])
    return {
        field.encode_name: msgspec.to_builtins(field.default)
        for field in fields
        if field.default is not msgspec.NODEFAULT
    }


def from_plain(plain: Mapping[str, Any]) -> Objective:
    """The objective that :meth:`Objective.to_plain` wrote.

    Raises: KeyError, when no objective has this name; msgspec.ValidationError, when the
        fields do not match.
    """
    fields = {key: value for key, value in plain.items() if key != "name"}
    objective: Objective = msgspec.convert(fields, type=_BY_NAME[plain["name"]])
    return objective


def pick(evidence: Mapping[str, Evidence], name: str, kind: type[Each]) -> Each:
    """The evidence with this name, of the type that :meth:`Objective.judge` has checked."""
    answer = evidence[name]
    assert isinstance(answer, kind), name
    return answer


def _kind(kind: Kind) -> str:
    """``a Listing``, ``Counts``, ``a Distribution or Samples``."""
    names = [each.__name__ for each in get_args(kind) or (kind,)]
    return " or ".join(
        name if name.endswith("s") and name != "Series" else f"a {name}" for name in names
    )


def window_of(evidence: Evidence, name: str) -> Window:
    """The window that the evidence covers. Raises: TypeError, when it has none."""
    window = evidence.question.window
    if window is None or window.seconds <= 0:
        raise TypeError(f"{name}: expected a window with a length, got {window}")
    return window
