import os
from pathlib import Path

import pytest

from harness.core import settings as config
from harness.core.errors import UsageError


def test_an_out_folder_is_made_with_its_parents(tmp_path: Path) -> None:
    assert config.make_out_dir(str(tmp_path / "a" / "b")).is_dir()


@pytest.mark.parametrize("out", ["/proc/chatbench", "/dev/null/x"])
def test_an_out_folder_that_cannot_be_written_is_refused(out: str) -> None:
    with pytest.raises(UsageError, match="cannot be written"):
        config.make_out_dir(out)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_read_only_out_folder_is_refused(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(UsageError, match="cannot be written"):
        config.make_out_dir(str(tmp_path))
