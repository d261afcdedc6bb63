"""`python -m harness.cli`: the same as `chatbench`, for when that script is not on the path."""

from __future__ import annotations

import os
import sys

if not sys.flags.safe_path:
    # `python -m` would import modules from the working directory, which the script `chatbench` does not do.
    os.execv(sys.executable, [sys.executable, "-P", *sys.orig_argv[1:]])  # noqa: S606 - the same Python

from harness.cli.main import main

main()
