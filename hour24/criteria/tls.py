"""TLS: the certificates of the service's addresses."""

from hour24.criteria.criterion import LAST, Criterion, Judge, Proof

DAYS = 14.0
"""Days after the launch for which a certificate must be valid: time to see that its renewal failed
and to renew it by hand."""

EXPIRY = Criterion(
    id="TLS-EXPIRY",
    sentence=(
        f"Each certificate of the service is valid, and for at least {DAYS:g} days after the launch"
    ),
    hours=(0, LAST),
    span="now",
    group="Health",
    means="days after the launch",
    asks=("certificates", "control"),
    needs=("certificates",),
    judges=(Judge(objective="CertificatesValid", limits={"days": DAYS}),),
    no_chart="it is one date an address",
    proof=Proof(
        faults=("certificate_untrusted@-1",),
        silence=("certificate_unseen@-1",),
        hour=0,
        before=(),
    ),
    since=2,
)
CRITERIA = (EXPIRY,)
