"""The member pools of a test as its coordinator sees them: one in each Locust process, reached by Locust's messages.

With a master they are the workers' pools; without one there is a single pool, in this process.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from importlib.metadata import version
from typing import Any, TypeVar, cast

import gevent
import msgspec
from locust.env import Environment
from locust.runners import STATE_MISSING, MasterRunner

from harness.core.errors import UsageError
from harness.core.registry import source_digests
from harness.ipc import messages as msg
from harness.load.clock_sync import WorkerClocks
from harness.measure.clock_offset import HostClock

ANSWER_TIMEOUT_S = 30.0
CHECK_S = 0.02
Answer = TypeVar("Answer", bound=msg.Struct)


class Pool:
    """One pool, and what it has answered."""

    def __init__(self, identity: str, rank: int) -> None:
        self.identity = identity
        self.rank = rank
        self.assembled: msg.Assembled | None = None
        self.refused: str | None = None  # why no test can be made with it
        self.begin_phase()

    def begin_phase(self) -> None:
        self.ticks: dict[int, msg.AudienceSecond] = {}
        self.unsaid: msg.Unsaid | None = None
        self.progress: msg.DrainProgress | None = None
        self.histories: msg.Histories | None = None
        self.report: msg.PhaseReport | None = None
        self.probed: msg.Probed | None = None
        self.rates: msg.Rates | None = None


class Pools:
    """All pools of the current test that are still connected."""

    def __init__(
        self,
        environment: Environment,
        on_answer: Callable[[Pool, msg.FromMemberPool], None],
        on_news: Callable[[msg.Failed], None],
    ) -> None:
        self._environment = environment
        self._runner = cast(Any, environment.runner)  # Locust does not type what a runner sends and receives
        self._on_answer = on_answer
        self._on_news = on_news
        self._decode = msgspec.msgpack.Decoder(msg.FromMemberPool).decode
        self._pools: dict[str, Pool] = {}
        self._watched: dict[str, Pool] | None = None
        self._clocks = WorkerClocks(lambda identity: self._send(self._pools[identity], msg.AskTime()))
        self.lost = 0  # workers that were there when the test began, and are not any more
        self._runner.register_message(msg.NEWS, self._hear)

    def __iter__(self) -> Iterator[Pool]:
        return iter(list(self._pools.values()))  # a worker may be dropped while a message is being sent

    def __len__(self) -> int:
        return len(self._pools)

    @property
    def have_master(self) -> bool:
        return isinstance(self._runner, MasterRunner)

    def connected(self) -> list[str]:
        """The ids of the Locust processes that are ready now, in the order of their ranks."""
        if not self.have_master:
            return ["local"]
        # Locust's dispatcher assigns users in this order too, so that the numbers of members have no gaps.
        return sorted(client.id for client in self._runner.clients.ready)

    def assemble(self, identities: list[str], order_for: Callable[[int], msg.Assemble]) -> None:
        """Begin a test with a pool in each of these processes; `order_for` makes the order for a rank.

        Raises TimeoutError, and UsageError for a process with another version or another scenario.
        """
        self.lost = 0
        self._pools = {identity: Pool(identity, rank) for rank, identity in enumerate(identities)}
        for pool in self:
            self._send(pool, order_for(pool.rank))
        self._watched = self._pools
        gevent.spawn(self._watch, self._pools)
        sources = source_digests(self._environment.user_classes)
        for assembled in self.answers(lambda pool: pool.assembled, ANSWER_TIMEOUT_S):
            _check_same(assembled, sources)
        self.compare_clocks()

    def forget(self) -> None:
        """End the test: a worker that goes now is not missed."""
        self._watched = None

    def order(self, order: msg.ToMemberPool) -> None:
        """Give an order to every pool."""
        for pool in self:
            self._send(pool, order)

    def answers(self, answer: Callable[[Pool], Answer | None], timeout_s: float) -> list[Answer]:
        """Return the answers of all pools that are still connected; raises TimeoutError, or UsageError if refused."""
        deadline = time.monotonic() + timeout_s
        while any(answer(pool) is None for pool in self):
            for pool in self:
                if pool.refused is not None:
                    raise UsageError(pool.refused)
            if time.monotonic() > deadline:
                raise TimeoutError(f"a Locust worker did not answer within {timeout_s:g} s")
            gevent.sleep(CHECK_S)
        return [found for pool in self if (found := answer(pool)) is not None]

    def compare_clocks(self) -> None:
        """Measure how far the workers' clocks are ahead of this one, and tell each worker. Raises TimeoutError."""
        if not self.have_master:
            return
        for identity, ahead_ns in self._clocks.compare(self._pools).items():
            if (pool := self._pools.get(identity)) is not None:
                self._send(pool, msg.FollowClock(ahead_ns=ahead_ns))

    def host_clocks(self) -> list[HostClock]:
        """The clocks that differ from this host's, with the rank of their worker counted from 1."""
        clocks = [self._clocks.host_clock(pool.identity, pool.rank + 1) for pool in self]
        return [each for each in clocks if each is not None]

    def _send(self, pool: Pool, order: msg.ToMemberPool) -> None:
        self._runner.send_message(msg.ORDER, msgspec.msgpack.encode(order), client_id=pool.identity)

    def _watch(self, pools: dict[str, Pool]) -> None:
        """Drop workers that Locust's own heartbeat reports as gone, as long as their test runs."""
        while self.have_master and pools is self._watched:
            for identity in list(pools):
                node = self._runner.clients.get(identity)
                if node is None or node.state == STATE_MISSING:
                    del pools[identity]
                    self.lost += 1
                    if not pools:
                        self._on_news(msg.Failed(problem="the last Locust worker is gone"))
            gevent.sleep(CHECK_S)

    def _hear(self, **event: Any) -> None:
        heard_ns = time.time_ns()
        carrier = event["msg"]
        pool = self._pools.get(carrier.node_id)
        if pool is None:  # from an earlier test, or from a worker that was considered lost
            return
        try:
            news = self._decode(carrier.data)
        except msgspec.DecodeError:
            pool.refused = msg.OTHER_PROTOCOL
            return
        match news:
            case msg.Time():
                self._clocks.hear(pool.identity, news, heard_ns)
            case msg.Assembled():
                pool.assembled = news
            case msg.Broken() if pool.assembled is None:
                pool.refused = news.problem
            case _:
                self._on_answer(pool, news)


def _check_same(assembled: msg.Assembled, sources: Mapping[str, str]) -> None:
    """Compare a worker's chatbench and scenarios with ours: another host has its own copies. Raises UsageError."""
    if assembled.version != version("chatbench"):
        raise UsageError(
            f"a Locust worker has chatbench {assembled.version}, but this host has {version('chatbench')}; "
            "install the same version on both"
        )
    if assembled.protocol != msg.protocol():
        raise UsageError(msg.OTHER_PROTOCOL)
    for member, digest in sources.items():
        if assembled.sources.get(member) != digest:
            raise UsageError(
                f"a Locust worker has a different class {member}, or none; give it the same file of that scenario"
            )
