"""The diagrams show what the architectures do."""

from __future__ import annotations

import pytest

from tools.docs.diagrams import FOLDER, SHOWN, drawn


@pytest.mark.parametrize("name", SHOWN)
def test_every_diagram_exists_and_can_be_drawn_again(name: str) -> None:
    assert (FOLDER / f"{name}.png").exists(), "make them: python -m tools.docs.diagrams"
    texts = {text.get_text() for text in drawn(name).axes[0].texts}
    assert "sender" in texts
