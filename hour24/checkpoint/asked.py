"""Questions of one's own, for criteria of one's own.

Rules of this module:

- What cannot be answered is :class:`~hour24.evidence.Unanswered`, as with every other source; an
  answer that is no finite number is misread, never 0; a text is one only where the caller says so.
- What is asked exists only now: past the checkpoint's tolerance it is not asked.
- The database is only read, in one transaction of its own, bounded in time.
"""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import urljoin

from msgspec import structs

from hour24.asking.answers import number
from hour24.checkpoint.inquiry import Inquiry, NotDescribed
from hour24.config import Production
from hour24.errors import SourceError
from hour24.evidence import Evidence, Question, Total, Unanswered
from hour24.secrets import Secret
from hour24.text import format_duration
from hour24.witnesses.port import Measure


class Ask:
    """Asks one number at a time.

    Args:
        inquiry: the checkpoint that is being run.
    """

    def __init__(self, inquiry: Inquiry) -> None:
        self._inquiry = inquiry

    def json(
        self, url: str, pointer: str = "", *, like: str = "", unit: str = "", as_text: bool = False
    ) -> Evidence:
        """The number at a JSON pointer of a document.

        Args:
            url: an address, or a path beside the health document's.
            pointer: where the number stands: ``/queue/length``; "" for the document itself.
            like: an endpoint of production.toml whose headers are sent.
            unit: of the number, for a reader.
            as_text: whether a number given as text (``"12.5"``) is one.
        """
        production = self._inquiry.production
        whole = urljoin(production.health.url, url)
        return self._answered(
            f"GET {whole}", lambda: self._json(whole, pointer, like, unit, as_text)
        )

    def sql(self, query: str, *, unit: str = "", as_text: bool = False) -> Evidence:
        """The number that a SELECT of one row and one column answers.

        Args:
            as_text: whether a number given as text (``"12.5"``) is one.
        """
        return self._answered(query, lambda: self._sql(query, unit, as_text))

    def _answered(self, asked: str, ask: Callable[[], Evidence]) -> Evidence:
        inquiry = self._inquiry
        late = inquiry.checkpoint.late_s(inquiry.started)
        question = inquiry.question(asked, source="own")
        if late > inquiry.checkpoint.tolerance_s:
            reason = (
                f"own: it exists only now, and this checkpoint was due {format_duration(late)} ago"
            )
            return Unanswered(question=question, code="late", reason=reason)
        try:
            return ask()
        except SourceError as problem:
            asked_so_far = problem.question
            return Unanswered(
                question=asked_so_far if isinstance(asked_so_far, Question) else question,
                code=problem.code,
                reason=str(problem),
            )

    def _json(self, url: str, pointer: str, like: str, unit: str, as_text: bool) -> Total:
        from hour24.asking.client import ApiClient
        from hour24.documents import value_at

        production = self._inquiry.production
        headers, secrets = _headers(production, like)
        client = ApiClient(
            "own",
            url,
            self._inquiry.clock,
            secrets=secrets,
            budget_s=production.schedule.source_budget_s,
            same_clock=False,
        )
        asking = client.asking(f"{pointer or 'document'} of {url}")
        found = value_at(asking.parsed(asking.answer(url, headers=headers)), pointer, None)
        return Total(
            question=asking.question(),
            value=number(found, asking.where, as_text=as_text),
            unit=unit,
        )

    def _sql(self, query: str, unit: str, as_text: bool) -> Total:
        answered = self._inquiry.ask(Measure.NUMBER, query, as_text)
        assert isinstance(answered, Total)
        return structs.replace(answered, unit=unit)


def _headers(production: Production, like: str) -> tuple[dict[str, str], list[Secret]]:
    if not like:
        return {}, []
    endpoint = production.endpoints.get(like)
    if endpoint is None:
        known = ", ".join(sorted(production.endpoints)) or "none"
        raise NotDescribed(f"own: like: expected an endpoint ({known}), got {like!r}")
    secrets = [value for value in endpoint.headers.values() if isinstance(value, Secret)]
    plain = {
        name: value.reveal() if isinstance(value, Secret) else value
        for name, value in endpoint.headers.items()
    }
    return plain, secrets
