"""The bytes that an architecture moves each second under a workload: to members, into and out of backends, onto disk.

They exclude IP and TCP.
"""

from __future__ import annotations

from harness.experiments.costs.components import COMMAND_BYTES, COPY_BYTES, MEMBER_BYTES, RECORD_BYTES
from harness.experiments.costs.fit import NOTHING, Prediction
from harness.experiments.costs.model import Model
from harness.experiments.costs.workload import Workload, uses_redis


def scaled(prediction: Prediction, factor: float) -> Prediction:
    return Prediction(factor * prediction.value, factor * prediction.draws)


def _plus(prediction: Prediction, exact: float) -> Prediction:
    return Prediction(prediction.value + exact, prediction.draws + exact)


def to_members_bytes_per_s(arch: str, workload: Workload, model: Model) -> Prediction:
    """Bytes per second from gateways to members."""
    deliveries = model.sharing.activity(arch, workload).deliveries
    return _plus(model.predict(MEMBER_BYTES, arch, workload), deliveries * workload.payload_bytes)


def records_bytes_per_s(arch: str, workload: Workload, model: Model) -> Prediction:
    """Bytes per second that Kafka writes, for one replica."""
    records = model.sharing.activity(arch, workload).records
    return _plus(model.predict(RECORD_BYTES, arch, workload), records * workload.payload_bytes)


def backend_bytes_per_s(arch: str, workload: Workload, model: Model) -> Prediction:
    """Bytes per second into the backends, and out of them to each gateway that reads or subscribes."""
    done = model.sharing.activity(arch, workload)
    record_bytes = records_bytes_per_s(arch, workload, model)
    through_kafka = scaled(record_bytes, 1 + done.fetches / done.records) if done.records else NOTHING
    if not uses_redis(arch):
        return through_kafka
    payloads = (done.commands + done.copies) * workload.payload_bytes
    through_redis = model.predict_all((COMMAND_BYTES, COPY_BYTES), arch, workload)
    return through_kafka + _plus(through_redis, payloads)
