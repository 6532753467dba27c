"""The names of metrics and labels, by kind of exporter.

Rules of this module:

- A preset fills in what a user does not state; ``[prometheus.names]`` overrides every name.
- A name with alternatives is a list, separated by ``|``: the first that the engine has is used. ""
  means that this kind of exporter has no such metric.

Source: OpenTelemetry's semantic conventions for HTTP; the Prometheus client libraries; cAdvisor and
kube-state-metrics; the lists of metrics of Fly.io, Google Cloud and metrics streams.
"""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

Preset = Literal["otel", "prometheus-client", "kubernetes", "fly", "cloud-run", "render-stream"]


class Names(Struct, frozen=True, kw_only=True):
    """Names of metrics and labels; :data:`WHAT` says what each is."""

    responses: str = ""
    status: str = ""
    latency: str = ""
    route: str = ""
    method: str = ""
    memory: str = ""
    memory_free: str = ""
    memory_limit: str = ""
    started: str = ""
    restarts: str = ""
    oom: str = ""
    presence: str = ""
    instance: str = "instance"
    service: str = "job"
    disk_size: str = "node_filesystem_size_bytes|kubelet_volume_stats_capacity_bytes"
    disk_free: str = "node_filesystem_avail_bytes|kubelet_volume_stats_available_bytes"
    probe: str = "probe_success"
    probe_status: str = "probe_http_status_code"


WHAT = {
    "responses": "Counter of requests answered.",
    "status": "Label with the HTTP status, or its class such as 5xx.",
    "latency": "Histogram of the server's times, without _bucket.",
    "route": "Label with the route of a request.",
    "method": "Label with the HTTP method.",
    "memory": "Gauge of the memory in use, in bytes.",
    "memory_free": "Gauge that is subtracted from memory, where that is the total.",
    "memory_limit": "Gauge of the memory at which an instance is killed, in bytes.",
    "started": "Gauge of the process's start, in epoch seconds.",
    "restarts": "Counter of restarts in place.",
    "oom": "Gauge or counter that is above 0 after an out-of-memory kill.",
    "presence": "Gauge that is 1 while a target is scraped.",
    "instance": "Label with the name of the instance.",
    "service": "Labels of which all series of a service have one value, separated by commas.",
    "disk_size": "Gauge of the size of the database's file system, in bytes.",
    "disk_free": "Gauge of its free bytes.",
    "probe": "Gauge that is 1 when a probe of a blackbox exporter succeeded.",
    "probe_status": "Gauge of the HTTP status that such a probe got, 0 without an answer.",
}
_STATUS = "status|code|status_code|http_status"
_ROUTE = "handler|route|path|endpoint|uri"
_CLIENT = Names(
    responses="http_requests_total|http_server_requests_total",
    status=_STATUS,
    latency="http_request_duration_seconds|http_server_request_duration_seconds",
    route=_ROUTE,
    method="method",
    memory="process_resident_memory_bytes",
    started="process_start_time_seconds",
    presence="up",
)
PRESETS: dict[str, Names] = {
    "prometheus-client": _CLIENT,
    "otel": Names(
        responses="http_server_request_duration_seconds_count",
        status="http_response_status_code",
        latency="http_server_request_duration_seconds",
        route="http_route",
        method="http_request_method",
        memory="process_memory_usage_bytes|process_resident_memory_bytes",
        started="process_start_time_seconds",
    ),
    "kubernetes": Names(
        responses=_CLIENT.responses,
        status=_STATUS,
        latency=_CLIENT.latency,
        route=_ROUTE,
        method="method",
        memory="container_memory_working_set_bytes",
        memory_limit="kube_pod_container_resource_limits",
        started="process_start_time_seconds",
        restarts="kube_pod_container_status_restarts_total",
        oom="kube_pod_container_status_last_terminated_reason",
        presence="up",
        instance="pod",
        service="namespace,container",
    ),
    "fly": Names(
        responses="fly_app_http_responses_count|fly_edge_http_responses_count",
        status="status",
        latency="fly_app_http_response_time_seconds|fly_edge_http_response_time_seconds",
        memory="fly_instance_memory_mem_total",
        memory_free="fly_instance_memory_mem_available",
        memory_limit="fly_instance_memory_mem_total",
        oom="fly_instance_exit_oom",
        service="app",
    ),
    "cloud-run": Names(
        responses="run_googleapis_com:request_count",
        status="response_code|response_code_class",
        latency="run_googleapis_com:request_latencies",
        instance="revision_name",
        service="service_name",
    ),
    "render-stream": Names(
        responses="render_service_http_requests_total",
        status="status_code|status|http_response_status_code",
        latency="render_service_http_response_latency",
        memory="render_service_memory_usage_bytes",
        memory_limit="render_service_memory_limit_bytes",
        instance="service_instance_id",
        service="service_id",
    ),
}
SELECTED: dict[str, dict[str, str]] = {
    "container_memory_working_set_bytes": {"container!": "", "image!": ""},
    "kube_pod_container_resource_limits": {"resource": "memory"},
    "kube_pod_container_status_last_terminated_reason": {"reason": "OOMKilled"},
}
"""Metric -> what is selected of it besides the service's labels; ``!`` means: is not."""
REPLICAS = ("prometheus_replica", "replica", "receive_replica", "__replica__", "rule_replica")
"""Labels that tell two engines of one pair apart: they hold the same series twice."""


def names_of(preset: str, overridden: dict[str, str]) -> Names:
    """Return the names of a preset, with those that production.toml states."""
    base = {name: getattr(PRESETS[preset], name) for name in Names.__struct_fields__}
    return Names(**base | overridden)


def options(names: str) -> list[str]:
    """Return the alternatives of a name."""
    return [each for each in names.split("|") if each]


def unit_ms(metric: str) -> float:
    """Return how many milliseconds one unit of a latency metric is, by its name."""
    if (
        metric.startswith("run_googleapis_com")
        or "milliseconds" in metric
        or metric.endswith("_ms")
    ):
        return 1.0
    return 1000.0
