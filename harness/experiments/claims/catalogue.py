"""What the design note claims, what its reader asks, and what it missed."""

from __future__ import annotations

from harness.experiments.claims import verdicts
from harness.experiments.claims.claim import Claim

CLAIMS = (
    Claim(
        id="C1",
        claim="With one consumer group for all servers, users see only fragments of the chat.",
        source="the note's beginning",
        tested="`naive` with 1, 2 and 4 gateways, one room, 100 msg/s",
        expected="each member hears 1 / gateways of what is said",
        experiments=("fragments",),
        judge=verdicts.fragments,
    ),
    Claim(
        id="C2",
        claim="Plan 1 costs n writes a message; with n partitions on m brokers each broker handles n / m requests.",
        source="Plan 1, drawbacks; a reader asks whether replication does not make it n",
        tested="`plan1` with 2, 4, 8 partitions on one broker; 6 partitions on three brokers, without replication and "
        "with three replicas, slowly and at 1,000 msg/s",
        expected="n records a message; n r / m records a broker with replication factor r, so n / m only for r = 1; "
        "fewer requests than records once messages come fast, because producers batch",
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
        tested="`plan1`, two gateways: 2 partitions; 4; 4 with `--dedup`",
        expected="heard once, twice, once; and a price for the last",
        experiments=("duplicates",),
        judge=verdicts.duplicates,
    ),
    Claim(
        id="C5",
        claim="Plan 1 does not care where a user connects; Plan 2 must bring a room's users to the right server.",
        source="Plan 1, advantages; Plan 2's open question",
        tested="`plan1` and `plan2` under `churn`, 40 rooms, 2 and 4 gateways",
        expected="no join redirected under Plan 1; 1 - 1 / gateways of them under Plan 2, and each takes longer",
        experiments=("joins",),
        judge=verdicts.joins,
    ),
    Claim(
        id="C6",
        claim="Under Plan 2 a huge room is a hot partition, so it does not suit rooms with very many users.",
        source="Plan 2, the last point",
        tested="`plan1` and `plan2`, 400 members on 4 gateways, 100 msg/s: many small rooms, rooms by Zipf's law, by a "
        "steeper one, one room",
        expected="the busiest gateway's share grows from a quarter to all under Plan 2, and stays a quarter under "
        "Plan 1; and Plan 2 becomes slower than Plan 1",
        experiments=("hot",),
        judge=verdicts.hot,
    ),
    Claim(
        id="C7",
        claim="Wouldn't Redis be better than both?",
        source="between the plans, and at the end",
        tested="`redis` beside `plan1` and `plan2` in one room and in small rooms; its backend killed and started "
        "again; 100 acked messages read back after a restart",
        expected="faster and cheaper; but it loses what is said during a restart, and remembers nothing",
        experiments=("one_room", "small_rooms", "restarts"),
        judge=verdicts.redis,
    ),
    Claim(
        id="C8",
        claim="It should become a chat system with Kafka and with Redis.",
        source="the note's end",
        tested="`kafka-redis` beside `redis` and `plan2`, as C7; the small rooms are of two members, on four gateways",
        expected="a second hop costs latency and CPU beside either; it buys durable history without redirects, and "
        "only gateways with members of a room get its messages",
        experiments=("one_room", "small_rooms", "restarts"),
        judge=verdicts.both,
    ),
    Claim(
        id="C9",
        claim="One consumer group per gateway gives Plan 1's delivery with one write a message.",
        source="not in the note, which thought of one group only",
        tested="`kafka-broadcast` beside `plan1` and `plan2`, as C7",
        expected="everything delivered once and in order, one record a message whatever the number of gateways",
        experiments=("one_room", "small_rooms"),
        judge=verdicts.broadcast,
    ),
)
