"""The Korean texts use one word for each thing, and one register."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.gateway.chat_page import chat_page
from tools.docs import korean

ROOT = Path(__file__).parents[3]
TEXTS = {
    **{
        name: (ROOT / name).read_text(encoding="utf-8")
        for name in ("README.ko.md", "docs/index.ko.md", "docs/cookbook.ko.md")
    },
    "the claims": " ".join(korean.CLAIMS.values()),
    "the chat page": chat_page(),
}
# What is not written, and what is written instead.
INSTEAD = {
    "사용자": "멤버",
    "유저": "멤버",
    "시험": "테스트",
    "그림": "차트, 다이어그램",
    "열린 고리": "개방형 루프",
    "예행": "미리 한 번",
    "세요": "십시오",
}


@pytest.mark.parametrize("where", TEXTS)
def test_one_word_for_a_thing_and_one_register(where: str) -> None:
    assert [word for word in INSTEAD if word in TEXTS[where]] == []
