"""The service under watch: its addresses, what they must answer, and its process.

Rules of this module:

- Fields are named as in production.toml; their Meta has title, unit and bounds, and
  ``schemas/production.schema.json`` is generated from them.
- Names have units as suffixes; ratios are 0 to 1.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from msgspec import Meta, Struct

from hour24.secrets import Secret
from hour24.witnesses.port import ADDRESS
from hour24.witnesses.sections import VARIABLE

HEADERS = {
    "title": "a table of headers",
    "type": "object",
    "propertyNames": {
        "title": "the name of a header",
        "pattern": "^[A-Za-z0-9!#$%&'*+.^_`|~-]+$",
    },
    "additionalProperties": {
        "title": 'text, or { env = "NAME" }',
        "type": ["string", "object"],
        "pattern": r"^[\x20-\x7e]*$",
        "required": ["env"],
        "additionalProperties": False,
        "properties": {
            "env": {**VARIABLE, "description": "Variable with the value."},
            "prefix": {
                "description": 'Put before the value, such as "Bearer ".',
                "title": "text",
                "type": "string",
                "pattern": r"^[\x20-\x7e]*$",
                "default": "",
            },
        },
    },
}
Url = Annotated[
    str,
    Meta(
        title="an http or https address, or a path below service.url",
        pattern=r"^(https?://[^\s/?#]+(/\S*)?|/\S*)$",
    ),
]
SocketUrl = Annotated[
    str,
    Meta(
        title="a ws or wss address, or a path below service.url",
        pattern=r"^(wss?://[^\s/?#]+(/\S*)?|/\S*)$",
    ),
]
Pointer = Annotated[
    str,
    Meta(title="a JSON pointer such as /checks/database, or nothing", pattern="^(/[^/]*)*$"),
]
Headers = Annotated[dict[str, Secret | str], Meta(extra_json_schema=HEADERS)]
AnswerSeconds = Annotated[float, Meta(description="Seconds an answer may take.", gt=0, le=600)]
ProbeSeconds = Annotated[
    float, Meta(description="Seconds between two probes of the prober.", ge=1, le=3600)
]


class Service(Struct, frozen=True, kw_only=True):
    name: Annotated[str, Meta(description="Name of the service, on every page.", pattern=r"\S")]
    environment: Annotated[
        str, Meta(description="Its environment, such as production.", pattern=r"\S")
    ]
    time_zone: Annotated[
        str,
        Meta(
            description="IANA name. Times on pages use it; records use UTC.",
            title="an IANA time zone such as Europe/Berlin",
            pattern=r"\S",
        ),
    ] = "UTC"
    control_url: Annotated[
        str,
        Meta(
            description="An address outside the service, requested when the service does not "
            "answer, to distinguish an outage of the service (FAIL) from one of our own network "
            "(INCONCLUSIVE).",
            title="an http or https address outside the service, to distinguish its outage from "
            "one of our own network",
            extra_json_schema={"allOf": [ADDRESS]},  # the title of ADDRESS is that of a wrong value
        ),
    ]
    release: Annotated[
        str,
        Meta(description="Deployed release, as named in the error tracker. Kept in the record."),
    ] = ""
    launch_at: Annotated[
        datetime | None,
        Meta(description="Launch time. Refused when before T0 + 24 h."),
    ] = None
    daily_until: Annotated[
        datetime | None,
        Meta(description="End of the daily checks after launch (pytest -m daily)."),
    ] = None
    plain_http: Annotated[
        tuple[Annotated[str, Meta(title="a host name", pattern="^[A-Za-z0-9.:-]+$")], ...],
        Meta(
            description="Hosts to which secrets may be sent over http or ws, without TLS. "
            "Loopback is always allowed.",
            title="a list of host names",
        ),
    ] = ()


class Health(Struct, frozen=True, kw_only=True):
    """``timestamp``, ``uptime``, ``database``: JSON pointers into the document.

    "" where the document has no such member.
    """

    url: Annotated[Url, Meta(description="Address of the health document.")]
    schema: Annotated[
        dict[str, Any],
        Meta(
            description="JSON Schema the document must satisfy; path relative to this file. "
            "Without it, hour24's own schemas/health.schema.json.",
            title="the path of a JSON Schema",
            pattern=r"\S",
            extra_json_schema={"type": "string"},
        ),
    ]
    headers: Annotated[Headers, Meta(description="Sent with each health request.")] = {}
    timestamp: Annotated[
        Pointer, Meta(description='Path of its time in the document; "" when it has none.')
    ] = "/timestamp"
    uptime: Annotated[
        Pointer,
        Meta(
            description='Path of the process\'s uptime, in seconds; "" when it has none. With '
            "started, it is empty unless stated.",
        ),
    ] = "/uptime"
    started: Annotated[
        Pointer,
        Meta(
            description="Path of the time at which the process started, instead of its uptime: "
            "ISO 8601, or seconds or milliseconds since the epoch."
        ),
    ] = ""
    numbers_as_text: Annotated[
        bool,
        Meta(
            description="Whether timestamp, uptime and started may be numbers as text, such as "
            '"12345.6".'
        ),
    ] = False
    instance: Annotated[
        Pointer,
        Meta(description='Path of the name of the answering instance; "" when it has none.'),
    ] = ""
    database: Annotated[
        Pointer,
        Meta(description='Path of whether the database is up; "" when it has none.'),
    ] = "/database"
    fresh_s: Annotated[
        float,
        Meta(description="Seconds by which the document's timestamp may differ from ours.", gt=0),
    ] = 60.0
    timeout_s: AnswerSeconds = 10.0
    retry_after_s: Annotated[
        float, Meta(description="Seconds before a failed check is repeated.", gt=0, le=600)
    ] = 30.0
    give_up_after_s: Annotated[
        float,
        Meta(
            description="Seconds after the first failed attempt until the last retry.",
            gt=0,
            le=1800,
        ),
    ] = 120.0
    interval_s: ProbeSeconds = 10.0
    uptime_resolution_s: Annotated[
        float, Meta(description="Seconds to which the document's uptime is exact.", gt=0, le=3600)
    ] = 1.0
    vantages: Annotated[
        tuple[
            Annotated[
                str,
                Meta(
                    title="a name of letters, digits, ., - and _",
                    pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,59}$",
                ),
            ],
            ...,
        ],
        Meta(
            description="Names of the probers, each started in its own place with "
            "`hour24 probe --vantage NAME`. Each is judged by itself. Empty: all probers are one.",
            title="a list of names",
            extra_json_schema={"uniqueItems": True},
        ),
    ] = ()
    vantages_needed: Annotated[
        int,
        Meta(
            description="How many vantages must see a failed health check at the same time for it "
            "to count.",
            ge=1,
            le=100,
        ),
    ] = 1


LEAST_INTERVAL_S = 0.5
"""At most 2 health probes a second, as for an endpoint."""


class Endpoint(Struct, frozen=True, kw_only=True):
    """``transaction``: its name in spans; ``expect_status``: codes of a good answer."""

    name: str
    url: Annotated[Url, Meta(description="Address of the endpoint.")]
    target_ms: Annotated[
        float,
        Meta(description="p99 of the server's time must be below this, in milliseconds.", gt=0),
    ]
    method: Annotated[
        Literal["GET", "HEAD", "OPTIONS", "POST"],
        Meta(description="HTTP method. It must be safe to repeat."),
    ] = "GET"
    headers: Annotated[Headers, Meta(description="Sent with each request.")] = {}
    body: Annotated[str, Meta(description="Sent with each request; text.")] = ""
    expect_status: Annotated[
        tuple[Annotated[int, Meta(description="A status code.", ge=100, le=599)], ...],
        Meta(
            description="Status codes of a good answer.",
            title="a list of HTTP status codes",
            min_length=1,
        ),
    ] = (200,)
    transaction: Annotated[str, Meta(description="Name of its transactions.")] = ""
    known_slow: Annotated[
        str,
        Meta(
            description="Why it is known to be slow. It is still judged against its target, "
            "and listed among the proposed optimisations."
        ),
    ] = ""
    interval_s: ProbeSeconds = 30.0
    timeout_s: AnswerSeconds = 10.0
    max_per_s: Annotated[
        float,
        Meta(
            description="Most requests a second that hour24 may send here: one prober and the "
            "samples of a checkpoint together.",
            gt=0,
            le=1000,
        ),
    ] = 2.0


class WebSocketTarget(Struct, frozen=True, kw_only=True):
    url: Annotated[SocketUrl, Meta(description="Address of the WebSocket.")]
    headers: Annotated[Headers, Meta(description="Sent with each handshake.")] = {}
    connections: Annotated[
        int, Meta(description="Connections kept open at a checkpoint.", ge=1, le=1000)
    ] = 30
    hold_s: Annotated[
        float, Meta(description="Seconds they are kept open at a checkpoint.", gt=0, le=600)
    ] = 60.0
    max_drop_ratio: Annotated[
        float, Meta(description="Share of connections that may drop, 0 to 1.", gt=0, le=1)
    ] = 0.10
    probe_connections: Annotated[
        int, Meta(description="Connections the prober keeps open.", ge=1, le=100)
    ] = 3
    probe_hold_s: Annotated[
        float,
        Meta(description="Seconds after which the prober replaces a connection.", gt=0, le=3600),
    ] = 300.0
    timeout_s: Annotated[float, Meta(description="Seconds a handshake may take.", gt=0, le=600)] = (
        10.0
    )
    subprotocols: Annotated[
        tuple[
            Annotated[
                str,
                Meta(
                    title="a sub-protocol such as graphql-transport-ws",
                    pattern="^[!#$%&'*+.^_`|~0-9A-Za-z-]+$",
                ),
            ],
            ...,
        ],
        Meta(
            description="Sub-protocols offered with each handshake, such as graphql-transport-ws.",
            title="a list of sub-protocols",
        ),
    ] = ()
    first_message: Annotated[
        Secret | str,
        Meta(
            description="Sent as text on each connection once it is open, such as connection_init "
            "of graphql-transport-ws. ${NAME} is the environment variable NAME, a secret.",
            title="a text with ${NAME} for each secret",
            extra_json_schema={"type": "string"},
        ),
    ] = ""
    expects: Annotated[
        Any,
        Meta(
            description="What an answer must contain within timeout_s: a text, or a table of the "
            "members of a JSON object. A connection with other answers only counts as dropped; "
            "without any answer, as refused.",
            title="a text, or a table of members",
            extra_json_schema={"type": ["string", "object"]},
        ),
    ] = ""
    ping_every_s: Annotated[
        float,
        Meta(
            description="Seconds between our own pings on an open connection. 0: none, "
            "as in a browser; set it only if the service's own clients send pings.",
            ge=0,
            le=3600,
        ),
    ] = 0.0


class Jobs(Struct, frozen=True, kw_only=True):
    """``pattern``: matches a heartbeat in a log line; a named group ``worker`` names the worker."""

    pattern: Annotated[
        str,
        Meta(
            description="Matches a heartbeat in a log line. A named group worker, (?P<worker>...), "
            "names the worker.",
            title="a regular expression",
            min_length=1,
        ),
    ]
    every_s: Annotated[
        float, Meta(description="Seconds between two heartbeats of a worker.", gt=0)
    ] = 30.0
    max_gap_s: Annotated[
        float, Meta(description="Seconds without a heartbeat that are too many.", gt=0)
    ] = 75.0


class Memory(Struct, frozen=True, kw_only=True):
    """``metric``: ``rss`` (what a platform reports of a container) or ``heap_used``."""

    metric: Annotated[
        Literal["rss", "heap_used"],
        Meta(description="What the platform reports: rss (of the container) or heap_used."),
    ] = "rss"
    max_share: Annotated[
        float, Meta(description="Share of the memory limit that may be used, 0 to 1.", gt=0, le=1)
    ] = 0.85


class Process(Struct, frozen=True, kw_only=True):
    """``recycles_every_s``: 0 where nothing replaces processes by plan."""

    recycles_every_s: Annotated[
        float,
        Meta(
            description="Seconds that a worker process lives at least before it is replaced by "
            "plan (max_requests of gunicorn, for instance). A restart is counted after a "
            "shorter life, of all processes at once, or after an out-of-memory kill.",
            ge=0,
            le=604_800,
        ),
    ] = 0.0


class Tls(Struct, frozen=True, kw_only=True):
    renews_itself: Annotated[
        bool,
        Meta(
            description="Whether the service's certificates are renewed without a person: then a "
            "third of their lifetime must be left, not 14 days after the launch."
        ),
    ] = False
    addresses: Annotated[
        tuple[
            Annotated[
                str,
                Meta(title="an https or wss address", pattern=r"^(https|wss)://[^\s/?#]+(/\S*)?$"),
            ],
            ...,
        ],
        Meta(
            description="More addresses of the service to check the certificates of, such as "
            "other domains.",
            title="a list of addresses",
        ),
    ] = ()
    ca: Annotated[
        str,
        Meta(
            description="Path of a file with more roots that are trusted, in PEM.",
            title="the path of a file",
        ),
    ] = ""
