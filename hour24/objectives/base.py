"""The base class of objectives: a limit as data, with one judgement.

Rules of this module:

- An objective is frozen data; the record stores its class name and its fields, and
  :func:`from_plain` rebuilds it from them.
- Evidence is passed by name, and each name has its type; another type is a bug of ours, found
  before anything is concluded. Names in ``needs`` must have an answer: an
  :class:`~hour24.evidence.Unanswered` among them is INCONCLUSIVE with its code. Names in
  ``may`` may be absent or unanswered; the objective defines what that means.
- No PASS while an answer is missing or partial, whatever :meth:`Objective.conclude` made of
  the others: it could have shown a FAIL. Names in ``spared`` are the exceptions, with the reason.
- Where several witnesses answered the same question, each is judged by itself, and
  :mod:`hour24.objectives.providers` combines the verdicts.
- :meth:`Objective.judge` is final; an objective writes :meth:`Objective.conclude`.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import UnionType
from typing import Any, ClassVar, TypeVar, get_args

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from hour24.evidence import Evidence, Unanswered
from hour24.objectives import providers
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
    spared: ClassVar[Mapping[str, str]] = {}
    """Name of an answer that a PASS can do without -> why it could not have shown a FAIL."""
    together: ClassVar[bool] = False
    """True if the answers of all witnesses are judged at once, by a listing about them."""

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        _BY_NAME[cls.__name__] = cls

    def judge(self, evidence: Mapping[str, Evidence]) -> Verdict:
        """The verdict on this evidence.

        Args:
            evidence: by name; of a second witness of the same question, by ``NAME@SECTION``.
        Raises: TypeError, when evidence is missing or has the wrong type (a bug of ours).
        """
        seen = providers.views(evidence)
        if self.together:
            return self._judge_view(seen[providers.FIRST].evidence)
        verdicts = {by: self._judge_view(view.evidence) for by, view in seen.items()}
        if len(verdicts) == 1:
            return verdicts[providers.FIRST]
        return providers.combine(verdicts, seen)

    def _judge_view(self, evidence: Mapping[str, Evidence]) -> Verdict:
        """The verdict on the answers of one provider, each by its plain name."""
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
        not_held = {
            name: answer.reason
            for name, answer in evidence.items()
            if isinstance(answer, Unanswered) and answer.not_provided
        }
        verdict = self.conclude({n: each for n, each in evidence.items() if n not in not_held})
        reason = verdict.reason + "".join(f"; not provided: {why}" for why in not_held.values())
        return self._beside_gaps(replace(verdict, reason=reason), evidence)

    def _beside_gaps(self, verdict: Verdict, evidence: Mapping[str, Evidence]) -> Verdict:
        """The verdict; INCONCLUSIVE instead of PASS where an answer is missing or partial."""
        if verdict.outcome != Outcome.PASS:
            return verdict
        for name, answer in evidence.items():
            missing = None if name in self.spared else providers.missing_part(answer)
            if missing is not None:
                code, why = missing
                reason = verdict.reason if why in verdict.reason else f"{verdict.reason}; but {why}"
                return replace(verdict, outcome=Outcome.INCONCLUSIVE, code=code, reason=reason)
        return verdict

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
