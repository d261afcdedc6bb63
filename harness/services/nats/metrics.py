"""What NATS counts itself, from /varz of its monitoring port."""

from __future__ import annotations

import http.client

import msgspec

from harness.core.errors import ServiceFailed
from harness.core.units import per

ANSWER_S = 10.0


class NatsPerMessage(msgspec.Struct, frozen=True):
    """What NATS did for each message. None: not measured."""

    messages_in_per_message: float | None = None
    messages_out_per_message: float | None = None
    bytes_in_per_message: float | None = None  # of payloads
    bytes_out_per_message: float | None = None


class NatsCounters(msgspec.Struct, frozen=True):
    """Totals of all clients since the server started."""

    in_msgs: int
    out_msgs: int
    in_bytes: int  # of payloads, without subjects
    out_bytes: int

    def since(self, before: NatsCounters) -> NatsCounters:
        return NatsCounters(
            in_msgs=self.in_msgs - before.in_msgs,
            out_msgs=self.out_msgs - before.out_msgs,
            in_bytes=self.in_bytes - before.in_bytes,
            out_bytes=self.out_bytes - before.out_bytes,
        )

    def per_message(self, sent: int) -> NatsPerMessage:
        """The counters divided by the messages sent."""
        return NatsPerMessage(
            messages_in_per_message=per(self.in_msgs, sent),
            messages_out_per_message=per(self.out_msgs, sent),
            bytes_in_per_message=per(self.in_bytes, sent),
            bytes_out_per_message=per(self.out_bytes, sent),
        )


def read_counters(monitor_port: int) -> NatsCounters:
    """The totals now; raises ServiceFailed if NATS does not answer."""
    connection = http.client.HTTPConnection("127.0.0.1", monitor_port, timeout=ANSWER_S)
    try:
        connection.request("GET", "/varz")
        return msgspec.json.decode(connection.getresponse().read(), type=NatsCounters)
    except (OSError, http.client.HTTPException, msgspec.MsgspecError) as problem:
        raise ServiceFailed(f"the counters of NATS cannot be read ({problem}); see its log in the record") from problem
    finally:
        connection.close()
