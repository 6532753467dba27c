"""Questions of your own checks.

Rules of this module:

- A question without an answer is :class:`~hour24.evidence.Unanswered`, as with every source. An
  answer that is not a finite number is misread, never 0; text is read as a number only with
  ``as_text``.
- The answers cannot be measured retroactively: after the checkpoint's tolerance nothing is asked,
  and the answers are those that were kept when it was due.
- The database is only read, in a separate transaction with a timeout.
"""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import urljoin

from msgspec import structs

from hour24.asking.answers import number
from hour24.checkpoint.inquiry import Inquiry, NotDescribed
from hour24.checkpoint.kept import own_name
from hour24.config import Production
from hour24.errors import SourceError
from hour24.evidence import Evidence, Question, Total, Unanswered
from hour24.secrets import Secret
from hour24.witnesses.port import Measure


class Ask:
    """Asks for one number at a time.

    Args:
        inquiry: the inquiry of the running checkpoint.
        answered: called with the name of each question and its answer.
    """

    def __init__(
        self,
        inquiry: Inquiry,
        answered: Callable[[str, Evidence], None] = lambda name, answer: None,
    ) -> None:
        self._inquiry = inquiry
        self._answered_with = answered

    def json(
        self, url: str, pointer: str = "", *, like: str = "", unit: str = "", as_text: bool = False
    ) -> Evidence:
        """Returns the number at a JSON pointer of a document.

        Args:
            url: an address, or a path relative to the health document's.
            pointer: path of the number: ``/queue/length``; "" for the document itself.
            like: an endpoint of production.toml whose headers are sent.
            unit: unit of the number, for display.
            as_text: whether text (``"12.5"``) is read as a number.
        """
        production = self._inquiry.production
        whole = urljoin(production.health.url, url)
        name = own_name("json", whole, pointer, like, unit, as_text)
        return self._answer_of(
            f"GET {whole}", name, lambda: self._json(whole, pointer, like, unit, as_text)
        )

    def sql(self, query: str, *, unit: str = "", as_text: bool = False) -> Evidence:
        """Returns the number that a SELECT of one row and one column returns.

        Args:
            as_text: whether text (``"12.5"``) is read as a number.
        """
        name = own_name("sql", query, unit, as_text)
        return self._answer_of(query, name, lambda: self._sql(query, unit, as_text))

    def _answer_of(self, asked: str, name: str, ask: Callable[[], Evidence]) -> Evidence:
        inquiry = self._inquiry
        question = inquiry.question(asked, source="own")
        try:
            answer = inquiry.kept(name) if inquiry.late_s else ask()
            assert isinstance(answer, Evidence)
        except SourceError as problem:
            asked_so_far = problem.question
            answer = Unanswered(
                question=asked_so_far if isinstance(asked_so_far, Question) else question,
                code=problem.code,
                reason=str(problem),
            )
        self._answered_with(name, answer)
        return answer

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
        found = value_at(asking.read_json(asking.answer(url, headers=headers)), pointer, None)
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
