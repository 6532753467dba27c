"""TLS: the certificates of the service's addresses."""

from datetime import timedelta

from hour24.objectives.certificates import CertificatesValid
from hour24.plugin import criterion


@criterion("TLS-EXPIRY")
def test_expiry(certificates, control, checkpoint, production, conclude):
    """Each certificate of the service is valid, and for at least 14 days after the launch"""
    ready = checkpoint.due + timedelta(hours=24 - checkpoint.hour)
    launch = max(ready, production.service.launch_at or ready)
    valid = CertificatesValid(
        until=launch.timestamp(), days=14, renews_itself=production.tls.renews_itself
    )
    conclude(valid, certificates=certificates, control=control)
