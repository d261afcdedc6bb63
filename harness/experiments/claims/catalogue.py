"""The claims of the design note, its reader's question, and the architecture that it missed."""

from __future__ import annotations

from harness.experiments.claims import alternatives, placement, verdicts
from harness.experiments.claims.claim import Claim

CLAIMS = (
    Claim(
        id="C1",
        claim="With one consumer group for all servers, users see only fragments of the chat.",
        source="the note's beginning",
        tested="`naive` with 1, 2 and 4 gateways, one room, 100 msg/s",
        expected="each member receives 1 / gateways of the messages",
        experiments=("fragments",),
        judge=verdicts.fragments,
    ),
    Claim(
        id="C2",
        claim="Plan 1 costs n writes a message; with n partitions on m brokers each broker handles n / m requests.",
        source="Plan 1, drawbacks; a reader asks whether replication does not make it n",
        tested="`plan1` with 2, 4, 8 partitions on one broker; 6 partitions on three brokers, without replication and "
        "with three replicas, at 20 and at 1,000 msg/s",
        expected="n records per message; n / m records and requests per broker without replication; replicas are work, "
        "and producers batch at high rates, so that the claim does not hold for either",
        experiments=("writes", "brokers"),
        judge=verdicts.writes,
    ),
    Claim(
        id="C3",
        claim="Kafka stores what it carries, so Plan 1 also takes n times the disk.",
        source="Plan 1, drawbacks",
        tested="`plan1` and `plan2` with 2, 4, 8 partitions, 20 msg/s",
        expected="n times Plan 2's bytes",
        experiments=("writes",),
        judge=verdicts.disk,
    ),
    Claim(
        id="C4",
        claim="A consumer with several partitions gets duplicates; a ratio of 1:1, or dropping copies, removes them.",
        source="Plan 1, drawbacks",
        tested="`plan1` on two gateways with 2 partitions, with 4, and with 4 and `--dedup`",
        expected="each message received once, twice and once; the last costs CPU",
        experiments=("duplicates",),
        judge=verdicts.duplicates,
    ),
    Claim(
        id="C5",
        claim="Plan 1 does not care where a user connects; Plan 2 must bring a room's users to the right server.",
        source="Plan 1, advantages; Plan 2's open question",
        tested="`plan1` and `plan2` under `churn`, 40 rooms, 2 and 4 gateways; the time of a join on 4",
        expected="no join redirected with Plan 1; a share of 1 - 1 / gateways with Plan 2, where a join takes longer",
        experiments=("joins",),
        judge=placement.joins,
    ),
    Claim(
        id="C6",
        claim="Under Plan 2 a huge room is a hot partition, so it does not suit rooms with very many users.",
        source="Plan 2, the last point",
        tested="`plan1` and `plan2` with 400 members on 4 gateways and 100 msg/s: many small rooms, rooms by Zipf's "
        "law, by a steeper law, and one room; all architectures in one room of 3,000 members, at 5 msg/s",
        expected="the busiest gateway's share grows from a quarter to all with Plan 2, and stays a quarter with "
        "Plan 1; in the huge room Plan 2 is slower than the others",
        experiments=("hot", "huge_room"),
        judge=placement.hot,
    ),
    Claim(
        id="C7",
        claim="Wouldn't Redis be better than both?",
        source="between the plans, and at the end",
        tested="`redis` compared with `plan1` and `plan2` in one room and in small rooms; its backend killed and "
        "restarted; 100 acked messages read back after a restart",
        expected="faster and cheaper; but it loses messages sent during a restart, and stores none",
        experiments=("one_room", "small_rooms", "restarts"),
        judge=alternatives.redis,
    ),
    Claim(
        id="C8",
        claim="It should become a chat system with Kafka and with Redis.",
        source="the note's end",
        tested="`kafka-redis` compared with `redis` and `plan2`, as in C7; the small rooms have two members, on four "
        "gateways; joins are those of C5",
        expected="a second hop costs latency and CPU compared with either; in return, history is durable without "
        "redirects, and only gateways with members of a room get its messages",
        experiments=("one_room", "small_rooms", "joins", "restarts"),
        judge=alternatives.both,
    ),
    Claim(
        id="C9",
        claim="One consumer group per gateway gives Plan 1's delivery with one write a message.",
        source="not in the note, which considers only one group",
        tested="`kafka-broadcast` compared with `plan1`, as in C7, on two gateways and on four",
        expected="every message delivered once and in order, with one record per message on two gateways and on four; "
        "latency and CPU time not above Plan 1's",
        experiments=("one_room", "small_rooms"),
        judge=alternatives.broadcast,
    ),
)
