"""Log files, plain and rotated, and systemd's journal: errors, watched words, beats."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, Struct

from hour24.witnesses.port import Measure, Role, Witness

QUIET_S = 900.0


class LogsAt(Struct, frozen=True, kw_only=True):
    """[logs]: ``file`` or ``journal``."""

    file: Annotated[
        str,
        Role.WHERE,
        Meta(
            title="an absolute path such as /var/log/voice/app.log",
            pattern=r"^/.*[^/\s]$",
            description="Path of the log on this machine; its rotated files next to it are "
            "read too.",
        ),
    ] = ""
    journal: Annotated[
        str,
        Role.WHERE,
        Meta(
            title="a unit such as voice.service",
            pattern=r"^[A-Za-z0-9:_.@\\-]+\.[a-z]+$",
            description="Unit of systemd, with its lines in this machine's journal, instead of a "
            "file.",
        ),
    ] = ""
    time_zone: Annotated[
        str,
        Role.WHERE,
        Meta(
            title="an IANA time zone such as Europe/Berlin",
            pattern=r"\S",
            description="Zone of timestamps that state none. Without it, the zone is taken from "
            "the time at which the file was last written, if that agrees.",
        ),
    ] = ""
    without_level: Annotated[
        Literal["unknown", "info"],
        Role.LIMIT,
        Meta(
            description="What a line without a recognisable level is: unknown, of which too many "
            "prove nothing; or info, if the service prints such lines and no error among them."
        ),
    ] = "unknown"
    quiet_s: Annotated[
        float,
        Role.LIMIT,
        Meta(
            gt=0,
            le=86400,
            description="Seconds for which a healthy service may write no line. A longer silence "
            "at the window's end or between two rotated files is a gap.",
        ),
    ] = QUIET_S
    timeout_s: Annotated[
        float,
        Role.ASKING,
        Meta(gt=0, le=600, description="Seconds journalctl may take."),
    ] = 60.0


WITNESS = Witness(
    section="logs",
    title="the log",
    about="Log files on this machine, or systemd's journal.",
    at=LogsAt,
    source="hour24.witnesses.logs.source:Logs",
    measures={Measure.ERROR_LINES: "", Measure.WATCHED_LINES: "", Measure.BEATS: ""},
    trials="hour24.witnesses.logs.trials:trials",
    repeat="less",
)
