"""Logs: ERROR lines, repeating patterns, and watched words."""

from hour24.objectives.logs import LevelKept, NoErrorLine, NoPattern
from hour24.plugin import criterion


@criterion("LOGS-ERRORS")
def test_errors(error_lines, production, conclude):
    """The logs contain no ERROR message, excluding known-normal errors"""
    conclude(NoErrorLine(normal=production.normal), lines=error_lines)


@criterion("LOGS-PATTERNS")
def test_patterns(error_lines_since_t0, production, conclude):
    """No error pattern repeats (5 in an hour or 10 in 24 h; excluding known-normal errors)"""
    limits = NoPattern(per_hour=5, per_day=10, normal=production.normal)
    conclude(limits, lines=error_lines_since_t0)


@criterion("LOGS-WATCHED")
def test_watched(watched_lines, watched_lines_baseline, conclude):
    """Messages with WARN, database or timeout stay at their hour-0 level"""
    conclude(LevelKept(), now=watched_lines, baseline=watched_lines_baseline)
