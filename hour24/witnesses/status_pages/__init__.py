"""The status pages of vendors: shown, never judged."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, Struct

from hour24.witnesses.port import Address, Measure, Role, Text, Witness


class StatusPage(Struct, frozen=True, kw_only=True):
    """[[status_pages]]: ``form`` is ``statuspage`` or ``betterstack``."""

    name: Annotated[Text, Role.ASKING, Meta(description="The vendor of the page.")]
    url: Annotated[
        Address, Role.ASKING, Meta(description="Base address of the page, without /api.")
    ]
    form: Annotated[
        Literal["statuspage", "betterstack"],
        Role.ASKING,
        Meta(description="statuspage (api/v2/summary.json) or betterstack (index.json)."),
    ] = "statuspage"
    cause: Annotated[
        str,
        Role.ASKING,
        Meta(description="The cause that errors of this vendor have in the classes of issues."),
    ] = ""


WITNESS = Witness(
    section="status_pages",
    title="the status pages",
    about="A vendor's status page: shown, never a verdict.",
    at=StatusPage,
    source="hour24.witnesses.status_pages.source:StatusPages",
    measures={Measure.INCIDENTS: ""},
    trials="hour24.witnesses.status_pages.trials:trials",
    many=True,
    repeat="curl -sS",
    status_page="{url}",
    advisory=True,
)
