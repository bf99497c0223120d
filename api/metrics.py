"""Figures for Prometheus: what was asked and how long it took, and what the service is doing at the moment.

No figure names an organization, a person, a record, a key or an address. Labels are routes, methods, statuses
and words of our own, so that their number has a bound whatever is asked.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from prometheus_client import CollectorRegistry, Counter, Histogram, ProcessCollector, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector

from ledger_service.chain.alarms import AlarmCode
from ledger_service.proofs.verdict import PASS
from ledger_service.storage.filesystem import free_bytes
from ledger_service.wiring.vitals import read_vitals

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from prometheus_client import Metric
    from werkzeug.routing import Rule

    from api.budgets import Budget
    from ledger_service.wiring import Service

_METHODS: Final = frozenset({"GET", "HEAD", "POST", "DELETE", "OPTIONS"})
_OTHER: Final = "other"
_SECONDS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)


class Metrics:
    """The figures of one application. Any number of threads may use one."""

    def __init__(self, service: Service, budgets: Iterable[Budget]) -> None:
        """Count from nothing."""
        self._registry = CollectorRegistry(auto_describe=False)
        self._requests = Counter(
            "audit_ledger_requests",
            "Requests that were answered.",
            ("route", "method", "status"),
            registry=self._registry,
        )
        self._seconds = Histogram(
            "audit_ledger_request_seconds",
            "Time until the answer began.",
            ("route", "method"),
            buckets=_SECONDS,
            registry=self._registry,
        )
        # Finding the figure of three labels costs more than counting.
        self._known: dict[tuple[str, str, int], tuple[Counter, Histogram]] = {}
        self._registry.register(_State(service, tuple(budgets)))
        ProcessCollector(namespace="audit_ledger", registry=self._registry)

    def note(self, rule: Rule | None, *, method: str, status: int, seconds: float) -> None:
        """Count one answered request."""
        route = _OTHER if rule is None else rule.rule
        found = self._known.get((route, method, status))
        if found is None:
            named = method if method in _METHODS else _OTHER
            found = (self._requests.labels(route, named, status), self._seconds.labels(route, named))
            if named == method:
                self._known[route, method, status] = found
        found[0].inc()
        found[1].observe(seconds)

    def format(self) -> bytes:
        """Every figure in Prometheus' text format."""
        return generate_latest(self._registry)


class _State(Collector):
    """What is read when it is asked for."""

    def __init__(self, service: Service, budgets: tuple[Budget, ...]) -> None:
        self._service = service
        self._budgets = budgets

    def collect(self) -> Iterator[Metric]:
        refusals = CounterMetricFamily(
            "audit_ledger_refusals", "Requests over a budget: answered 429.", labels=("budget",)
        )
        for budget in self._budgets:
            refusals.add_metric((budget.name,), budget.refused)
        yield refusals
        yield from self._read_vitals()
        yield from self._read_process()

    def _read_vitals(self) -> Iterator[Metric]:
        here = self._service
        with here.database.read() as conn:
            vitals = read_vitals(conn, now=here.clock.now())
        entries = GaugeMetricFamily(
            "audit_ledger_entries",
            "Entries that have come so far at least, in all logs of a collection.",
            labels=("collection", "stage"),
        )
        for labels, count in vitals.entries.items():
            entries.add_metric(labels, count)
        yield entries
        yield _gauge("waiting_records", "Records accepted and not in a log yet.", vitals.waiting)
        yield _gauge("oldest_waiting_seconds", "Age of the oldest of these.", vitals.oldest_waiting_s)
        yield _gauge(
            "oldest_checkpoint_seconds",
            "Time since the log that was signed longest ago was signed.",
            vitals.oldest_checkpoint_s,
        )
        yield _gauge(
            "oldest_unanchored_seconds",
            "Age of the oldest checkpoint that no anchor covers.",
            vitals.oldest_unanchored_s,
        )
        yield _gauge(
            "status_changes_waiting",
            "Changes of status that contracts lack.",
            vitals.status_changes_waiting,
        )

    def _read_process(self) -> Iterator[Metric]:
        here = self._service
        keeper = here.keeper
        counts = dict.fromkeys(AlarmCode, 0)
        for alarm in here.alarms.open():
            counts[alarm.code] += 1
        alarms = GaugeMetricFamily("audit_ledger_alarms_open", "Alarms that are open.", labels=("code",))
        for code, count in counts.items():
            alarms.add_metric((code.value,), count)
        yield alarms
        free = free_bytes(here.settings.data_dir)
        yield _gauge("disk_free_bytes", "Space left for the data directory.", free)
        low = free < here.settings.disk_reserve_mb << 20
        yield _gauge("disk_low", "1 when new records are refused for want of space.", low)
        yield _gauge("writable", "1 when writes are taken.", keeper is not None and keeper.refusal is None)
        yield _gauge("leads", "1 where logs are signed and anchored.", keeper is not None and keeper.leads)
        reachable = keeper is not None and keeper.silent_s is not None and keeper.chain_trouble is None
        yield _gauge("chain_reachable", "1 when the last look at the chain was made.", reachable)
        passed = GaugeMetricFamily(
            "audit_ledger_check_passed", "1 for each passed check of /healthz/deep.", labels=("check",)
        )
        for check in here.self_check.examine().checks:
            passed.add_metric((check.name,), check.outcome == PASS)
        yield passed


def _gauge(name: str, words: str, value: float) -> GaugeMetricFamily:
    return GaugeMetricFamily(f"audit_ledger_{name}", words, value=float(value))
