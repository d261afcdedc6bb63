"""Pages of one file that need no network, with charts that can be pointed at."""

from __future__ import annotations

import base64
import hashlib
from importlib import resources
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from harness.report.style import IN_THE_DARK


def write_page(path: Path, template: str, **content: Any) -> None:
    """Write the page that this template makes of the content, which is escaped but for its charts."""
    script = (resources.files("harness.report") / "templates" / "tips.js").read_text(encoding="utf-8")
    environment = Environment(
        loader=PackageLoader("harness.report"), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )
    page = environment.get_template(template).render(
        script=Markup(script),  # noqa: S704 - a file of this package
        script_hash=base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
        in_the_dark=IN_THE_DARK,
        **content,
    )
    path.write_text(page, encoding="utf-8")
