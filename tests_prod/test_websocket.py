"""The WebSocket: connections kept open, now and by the prober."""

from hour24.objectives.websocket import DropsBelow
from hour24.plugin import criterion


@criterion("WS-STABLE")
def test_drops(websocket_probes, websocket_held, control, production, conclude):
    """Fewer than 10 % of WebSocket connections drop"""
    at = production.websocket
    below = DropsBelow(limit=at.max_drop_ratio) if at else DropsBelow()
    conclude(below, probes=websocket_probes, held=websocket_held, control=control)
