"""What Kafka's errors mean: which are temporary, and which mean that a retry cannot help."""

from __future__ import annotations

from confluent_kafka import KafkaError, KafkaException

from architectures.interface import GoneForGood

# The partition was just created, or its broker is coming back.
LEADERLESS = (
    KafkaError.NOT_LEADER_FOR_PARTITION,
    KafkaError.LEADER_NOT_AVAILABLE,
    KafkaError.UNKNOWN_TOPIC_OR_PART,
    KafkaError.FENCED_LEADER_EPOCH,
    KafkaError.UNKNOWN_LEADER_EPOCH,
    KafkaError._NOENT,  # librdkafka's own code for the same
)
# librdkafka recovers from these by itself, though it does not call them retriable. A deleted topic is not among them.
RECOVERS_BY_ITSELF = (
    KafkaError.NOT_LEADER_FOR_PARTITION,
    KafkaError.LEADER_NOT_AVAILABLE,
    KafkaError.FENCED_LEADER_EPOCH,
    KafkaError.UNKNOWN_LEADER_EPOCH,
    KafkaError._ALL_BROKERS_DOWN,
    KafkaError._TRANSPORT,
)
UNREACHED = (KafkaError._ALL_BROKERS_DOWN, KafkaError._TRANSPORT)
FORBIDDEN = (
    KafkaError.TOPIC_AUTHORIZATION_FAILED,
    KafkaError.GROUP_AUTHORIZATION_FAILED,
    KafkaError.CLUSTER_AUTHORIZATION_FAILED,
)


def gone_for_good(error: KafkaError) -> GoneForGood | None:
    """Return the error for the user if a retry cannot help; None for errors that may be temporary."""
    text = error.str()
    if error.code() in FORBIDDEN:
        return GoneForGood(
            f"Kafka forbids its user the required access ({text}); grant it access to all names with this prefix (ACLs)"
        )
    if error.code() == KafkaError._SSL and "certificate" in text:
        return GoneForGood(f"Kafka cannot be reached over TLS ({text}); check the certificates")
    if error.code() == KafkaError._AUTHENTICATION and "SASL authentication error" in text:
        return GoneForGood(f"Kafka does not let its user in ({text}); check --kafka-properties")
    return None


def for_user(problem: BaseException) -> BaseException:
    """Return the GoneForGood that stands for the problem, or else the problem itself."""
    return (gone_for_good(problem.args[0]) if isinstance(problem, KafkaException) else None) or problem
