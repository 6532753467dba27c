"""Certificates: the chain and the host are valid now, and the dates reach beyond the launch.

Rules of this module:

- A refused certificate is FAIL, unless the control address's is refused for the same reason, or our
  clock differs from the control's: then the reason is on this machine, and it is INCONCLUSIVE.
- An address that could not be reached is INCONCLUSIVE: its health is another criterion's.
- Where production.toml says that certificates renew themselves, a third of the lifetime must be
  left: a renewal that did not happen then has failed.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from hour24.evidence import Document, Evidence, Listing
from hour24.objectives.base import Kinds, Objective, pick
from hour24.text import format_count, format_time, join_some, one_line, plural
from hour24.verdict import Outcome, Scale, Verdict

DAY_S = 86_400.0
SKEW_S = 300.0
"""Difference of two clocks from which dates prove nothing."""
LEFT = 1 / 3
"""Share of its lifetime that a certificate has left when its renewal is due: that of Let's Encrypt
and its clients."""
WORDS = {
    "expired": "expired",
    "not_yet_valid": "not valid yet",
    "wrong_host": "for another host",
    "untrusted": "of a chain that leads to no known root",
}
UNSEEN = {"unreachable": "could not be reached", "not_taken": "ended the handshake"}
OURS = "control"


class CertificatesValid(Objective, frozen=True, kw_only=True):
    """Each certificate is valid, and for ``days`` after ``until``, or has a third of its life left.

    Args:
        until: the launch, or T0 + 24 h where none is stated, in epoch seconds.
        days: after it for which a certificate must be valid.
        renews_itself: whether certificates are renewed without a person.
    """

    needs: ClassVar[Kinds] = {"certificates": Listing}
    may: ClassVar[Kinds] = {"control": Document}
    spared: ClassVar[Mapping[str, str]] = {
        "control": "it only shows that a refusal is our own machine's"
    }

    until: float
    days: float
    renews_itself: bool = False

    def limit_text(self) -> str:
        if self.renews_itself:
            return "a third of its lifetime left"
        return f"at least {self.days:g} days after {format_time(self.until)}"

    def conclude(self, evidence: Mapping[str, Evidence]) -> Verdict:
        answer = pick(evidence, "certificates", Listing)
        own = [each for each in answer.items if each["of"] != OURS]
        if not own:
            return self.unmeasured("not_described", "No address of the service is https or wss")
        refused = [each for each in own if each["problem"] in WORDS]
        valid = [each for each in own if not each["problem"]]
        late = [each for each in valid if self._is_short(each)]
        unseen = [each for each in own if each["problem"] and each["problem"] not in WORDS]
        days = min(((each["not_after"] - self.until) / DAY_S for each in valid), default=None)
        figures = {"refused": float(len(refused)), "short": float(len(late))}
        if days is not None:
            figures["days"] = days
        outcome, code, reason = Outcome.PASS, "", ""
        if (ours := self._ours(evidence, answer, refused)) is not None:
            outcome, (code, reason) = Outcome.INCONCLUSIVE, ours
        elif refused:
            outcome, code = Outcome.FAIL, "certificate_invalid"
            reason = "Refused: " + join_some([_refusal(each) for each in refused])
        elif late:
            outcome, code = Outcome.FAIL, "certificate_expires"
            reason = f"Expected {self.limit_text()}: {join_some([_dates(each) for each in late])}"
        elif unseen:
            outcome, code = Outcome.INCONCLUSIVE, "certificate_unseen"
            reason = "Not seen: " + join_some([_refusal(each) for each in unseen])
        else:
            reason = (
                f"{plural(len(valid), 'certificate')} valid for its host and by its chain; "
                f"{join_some([_dates(each) for each in sorted(valid, key=_end)])}"
            )
        return Verdict(
            outcome=outcome,
            code=code,
            reason=reason,
            observed="not measured"
            if days is None
            else f"{format_count(int(days // 1))} days after the launch",
            limit=self.limit_text(),
            scale=None
            if days is None or self.renews_itself
            else Scale(unit="days", limit=self.days, observed=days, better="above"),
            figures=figures,
        )

    def _is_short(self, each: Mapping[str, Any]) -> bool:
        if self.renews_itself:
            life = float(each["not_after"]) - float(each["not_before"])
            return float(each["not_after"]) - float(each["at"]) < LEFT * life
        return float(each["not_after"]) < self.until + self.days * DAY_S

    def _ours(
        self, evidence: Mapping[str, Evidence], answer: Listing, refused: list[dict[str, Any]]
    ) -> tuple[str, str] | None:
        """Code and reason where this machine may be the cause; none where it is not."""
        control = evidence.get("control")
        if isinstance(control, Document) and control.server_date is not None:
            skew = (control.server_date - control.question.at).total_seconds()
            if abs(skew) > SKEW_S:
                return (
                    "clock_skew",
                    f"Our clock and the control address's differ by {abs(skew):.0f} s, so dates "
                    "prove nothing",
                )
        theirs = {each["problem"] for each in answer.items if each["of"] == OURS}
        same = [each for each in refused if each["problem"] in theirs]
        if same and len(same) == len(refused):
            return (
                "not_taken",
                f"The control address's certificate is refused too ({WORDS[same[0]['problem']]}): "
                "the clock, the roots or a proxy of this machine may be the cause",
            )
        return None


def _refusal(each: Mapping[str, Any]) -> str:
    problem = {**WORDS, **UNSEEN}.get(each["problem"], "refused")
    says = f' ("{one_line(each["says"], 100)}")' if each["says"] else ""
    return f"{one_line(each['address'], 80)} ({one_line(each['of'], 80)}) {problem}{says}"


def _dates(each: Mapping[str, Any]) -> str:
    return f"{one_line(each['address'], 80)} until {format_time(float(each['not_after']))}"


def _end(each: Mapping[str, Any]) -> float:
    return float(each["not_after"])
