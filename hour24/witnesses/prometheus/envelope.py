"""An answer of the query API, read strictly.

Rules of this module:

- Any warning, ``isPartial`` and an answer that is exactly as long as a cap is
  :class:`~hour24.errors.SourceIncomplete`: what was left out is unknown. An info is about a
  histogram that was repaired: :class:`~hour24.errors.SourceMisread`.
- Raw samples come as a matrix; any other type of result is another dialect.

Source: Prometheus docs/querying/api.md; VictoriaMetrics' README; AWS CloudWatch QueryMetrics.
"""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from msgspec import Meta, Struct, field

from hour24.asking.answers import read_answer
from hour24.errors import SourceIncomplete, SourceLacks, SourceMisread
from hour24.text import one_line

SERIES_CAPS = (500,)
"""Series of one answer at which an engine stops without a word: CloudWatch."""
POINTS_CAP = 11_000
"""Samples of one series at which engines stop."""
LONGEST = 200


class Matrix(Struct, frozen=True):
    """One series with its raw samples; a native histogram has none."""

    metric: dict[str, str]
    values: list[tuple[float, str]] = []
    histograms: Any = None


class MatrixData(Struct, frozen=True, rename="camel"):
    """``data`` of an answer with raw samples."""

    result: list[Matrix]
    result_type: str = ""


class Envelope(Struct, frozen=True, rename="camel"):
    """An answer, but for its data."""

    status: str
    warnings: list[str] | None = None
    infos: list[str] | None = None
    is_partial: bool = False
    error: str = ""
    data: Any = None


class MatrixAnswer(Struct, frozen=True, rename="camel"):
    """An answer with raw samples."""

    status: str
    data: MatrixData
    warnings: list[str] | None = None
    infos: list[str] | None = None
    is_partial: bool = False


class ScalarData(Struct, frozen=True):
    """``data`` of ``time()``."""

    result: tuple[float, str]


class Single(Struct, frozen=True):
    """One value of a vector."""

    value: tuple[float, str]


class VectorData(Struct, frozen=True):
    """The same of VictoriaMetrics: a vector of one."""

    result: Annotated[list[Single], Meta(min_length=1, max_length=1)]


class TypeOf(Struct, frozen=True):
    """One entry of ``/api/v1/metadata``."""

    type: str = field(default="")


def matrix_of(data: bytes, where: str) -> list[Matrix]:
    """Return the series of an answer with raw samples.

    Raises: SourceIncomplete, where it is partial; SourceLacks, where the engine has no raw
        samples; SourceMisread.
    """
    try:
        found = msgspec.json.decode(data, type=MatrixAnswer)
    except (msgspec.MsgspecError, RecursionError):
        return _not_a_matrix(data, where)
    _check(found.status, "", found.warnings, found.infos, found.is_partial, where)
    if found.data.result_type != "matrix":
        return _not_a_matrix(data, where)
    for index, each in enumerate(found.data.result):
        if each.histograms is not None:
            raise SourceMisread(
                f"{where}: result[{index}]: expected samples, got a native histogram; expose "
                "classic buckets too"
            )
        if len(each.values) == POINTS_CAP:
            raise SourceIncomplete(
                f"{where}: expected fewer than {POINTS_CAP} samples of a series, got exactly as "
                "many: the engine's cap"
            )
    if len(found.data.result) in SERIES_CAPS:
        raise SourceIncomplete(
            f"{where}: expected other than {len(found.data.result)} series, got exactly as many: "
            "an engine's cap"
        )
    return found.data.result


def scalar_of(data: bytes, where: str) -> str:
    """Return the value of an answer to ``time()``."""
    found = document_of(data, where)
    if isinstance(found, dict) and found.get("resultType") == "vector":
        return read_answer(found, VectorData, where).result[0].value[1]
    return read_answer(found, ScalarData, where).result[1]


def _not_a_matrix(data: bytes, where: str) -> list[Matrix]:
    """Say what an answer is that holds no raw samples."""
    found = document_of(data, where)
    kind = found.get("resultType") if isinstance(found, dict) else None
    if kind == "matrix":
        read_answer(found, MatrixData, f"{where}: data")
    if kind in ("vector", "scalar", "string"):
        raise SourceLacks(
            f"{where}: expected raw samples of a range (matrix), got a {kind}: an engine of "
            "an unknown dialect"
        )
    raise SourceMisread(f"{where}: data.resultType: expected matrix, got {str(kind)[:40]!r}")


def document_of(data: bytes, where: str) -> Any:
    """Return ``data`` of an answer. Raises: SourceIncomplete; SourceMisread."""
    try:
        parsed = msgspec.json.decode(data)
    except (msgspec.MsgspecError, RecursionError):
        received = "HTML" if data.lstrip()[:1] == b"<" else f"{len(data)} bytes"
        raise SourceMisread(f"{where}: expected a JSON document, got {received}") from None
    found = read_answer(parsed, Envelope, where)
    _check(found.status, found.error, found.warnings, found.infos, found.is_partial, where)
    return found.data


def _check(
    status: str,
    error: str,
    warnings: list[str] | None,
    infos: list[str] | None,
    partial: bool,
    where: str,
) -> None:
    if status != "success":
        raise SourceMisread(
            f"{where}: status: expected success, got {one_line(status, 40)}: "
            f"{one_line(error, LONGEST)}"
        )
    if warnings:
        raise SourceIncomplete(
            f"{where}: expected an answer without warnings, got: {one_line(warnings[0], LONGEST)}"
        )
    if partial:
        raise SourceIncomplete(f"{where}: expected a whole answer, got isPartial")
    if infos:
        raise SourceMisread(
            f"{where}: expected an answer without infos, got: {one_line(infos[0], LONGEST)}"
        )
