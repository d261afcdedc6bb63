"""The claims and verdicts in Korean, the language of the design note, for docs/cookbook.ko.md."""

from __future__ import annotations

from harness.experiments.claims.findings import NOT_SUPPORTED, SUPPORTED, UNDECIDED

CLAIMS = {
    "C1": "컨슈머 그룹 하나를 모든 서버가 함께 쓰면 멤버는 메시지를 뜨문뜨문 받는다.",
    "C2": "1안은 메시지 하나에 n번 쓰고, 파티션 n개와 브로커 m개이면 브로커마다 n/m개의 요청을 처리한다.",
    "C3": "카프카는 디스크에 저장하므로 1안은 용량도 n배를 차지한다.",
    "C4": "컨슈머가 여러 파티션을 맡으면 중복이 생기고, 1:1로 맞추거나 중복을 걸러 내면 사라진다.",
    "C5": "1안은 멤버가 어느 서버에 붙든 상관없고, 2안은 방의 멤버를 맞는 서버로 보내야 한다.",
    "C6": "2안에서 아주 큰 방은 한 파티션에 부하를 몰리게 하므로, 한 방에 멤버가 많으면 적합하지 않다.",
    "C7": "이럴 거면 Redis를 쓰는 게 낫지 않은가?",
    "C8": "카프카와 Redis를 함께 쓰는 채팅 시스템이 되어야 한다.",
    "C9": "게이트웨이마다 컨슈머 그룹을 따로 두면 메시지를 한 번만 쓰고도 1안처럼 전달된다. (노트에는 없던 방법)",
}
VERDICTS = {SUPPORTED: "뒷받침된다", NOT_SUPPORTED: "뒷받침되지 않는다", UNDECIDED: "아직 알 수 없다"}
