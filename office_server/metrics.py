"""What Prometheus can read of this server. Labels hold route templates, types and states; never ids or names."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


class Metrics:
    """One registry per server, so that several can live in one process."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.requests = Counter(
            "semo_office_requests", "HTTP requests", ["method", "route", "status"], registry=self.registry
        )
        self.request_seconds = Histogram(
            "semo_office_request_seconds",
            "How long requests took, waiting for results included",
            ["route"],
            buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30),
            registry=self.registry,
        )
        self.commands = Counter(
            "semo_office_commands_asked", "Commands that this server inserted", ["command_type"], registry=self.registry
        )
        self.open_commands = Gauge(
            "semo_office_commands_open",
            "Commands of all offices that are not final",
            ["status"],
            registry=self.registry,
        )
        self.waits = Counter(
            "semo_office_waits", "Waits for a result, by how they ended", ["ended"], registry=self.registry
        )
        self.waiting = Gauge("semo_office_waiting", "Callers that wait for a result now", registry=self.registry)
        self.jobs_started = Counter(
            "semo_office_jobs_started", "Jobs of plans that this server started", registry=self.registry
        )
        self.schedule_seconds = Histogram(
            "semo_office_schedule_seconds",
            "How long a round of the scheduler took",
            buckets=(0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5),
            registry=self.registry,
        )
        self.offices_live = Gauge(
            "semo_office_realtime_offices", "Offices listened to over Realtime now", registry=self.registry
        )

    def text(self) -> bytes:
        return generate_latest(self.registry)
