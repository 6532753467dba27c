"""Hooks that fill pytest-html's interactive report from our record."""

from __future__ import annotations

from typing import Any

import pytest

from hour24.ledger.record import Judged


class Companion:
    """Writes our verdicts into pytest-html's rows, counts and title."""

    def __init__(self, run: Any) -> None:
        self.run = run
        self._html: Any = None
        self._rows: dict[str, list[Judged]] = {}

    @pytest.hookimpl(optionalhook=True)
    def pytest_html_report_title(self, report: Any) -> None:
        from hour24.report import companion

        self._html = report
        report.title = companion.title(self.run.record)
        report.outcomes["error"]["label"] = "Inconclusive"

    @pytest.hookimpl(optionalhook=True)
    def pytest_html_results_summary(self, prefix: list[str]) -> None:
        from hour24.report import companion

        if self.run.record is not None:
            self._html.title = companion.title(self.run.record)
            companion.move_counts(self._html.outcomes, self._rows.values())
            prefix.append(companion.summary(self.run.record))

    @pytest.hookimpl(optionalhook=True)
    def pytest_html_results_table_header(self, cells: list[str]) -> None:
        from hour24.report import companion

        companion.header(cells)

    @pytest.hookimpl(optionalhook=True)
    def pytest_html_results_table_row(self, report: Any, cells: list[str]) -> None:
        from hour24.report import companion

        judged = getattr(report, "judged", [])
        advisory = getattr(report, "advisory", False)
        if judged and not advisory:
            self._rows[report.nodeid] = judged
        companion.row(judged, cells, advisory=advisory)
