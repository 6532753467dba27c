"""The prober: probes production continuously between the checkpoints."""

from hour24.prober.asker import Asker
from hour24.prober.outbox import Outbox
from hour24.prober.plan import Plan, plans
from hour24.prober.rules import Runbook
from hour24.prober.running import Prober, run_probe
from hour24.prober.tally import Held, Tally, Transport, minute_line, simulate

__all__ = [
    "Asker",
    "Held",
    "Outbox",
    "Plan",
    "Prober",
    "Runbook",
    "Tally",
    "Transport",
    "minute_line",
    "plans",
    "run_probe",
    "simulate",
]
