"""`python -m harness.cli`, which is `chatbench` where its script is not on the path."""

from __future__ import annotations

import os
import sys

if not sys.flags.safe_path:
    # `python -m` would import from the working directory what happens to lie there; `chatbench` itself does not.
    os.execv(sys.executable, [sys.executable, "-P", *sys.orig_argv[1:]])  # noqa: S606 - the same Python

from harness.cli.main import main

main()
