"""Notifications and the heartbeat.

Rules of this package:

- ``messages`` decides who gets one, when, and with which text; ``quiet`` what quiet hours are;
  ``sending`` sends; ``discord`` knows the one channel that can update a message; ``delivery``
  defers or sends, and records it in the ledger; ``heartbeat`` signals a dead man's switch.
- An alert that cannot be sent becomes a line of text and fails nothing. No text contains an
  address.
"""

from hour24.alerts.delivery import Delivery
from hour24.alerts.heartbeat import Signal, heartbeat_signal, send_heartbeat
from hour24.alerts.messages import (
    Message,
    alarm_message,
    message,
    next_message,
    summary_message,
    trial_message,
)
from hour24.alerts.sending import Caller, send

__all__ = [
    "Caller",
    "Delivery",
    "Message",
    "Signal",
    "alarm_message",
    "heartbeat_signal",
    "message",
    "next_message",
    "send",
    "send_heartbeat",
    "summary_message",
    "trial_message",
]
