"""`chatbench list`: the architectures and scenarios that can be run."""

from __future__ import annotations

from collections.abc import Mapping

from harness.cli.console import console, json_option, print_json
from harness.cli.help import command


@command(name="list")
@json_option("names, needs and options as JSON")
def list_command(as_json: bool) -> None:
    """List the architectures and scenarios that can be run."""
    from harness.cli.listing import listing
    from harness.report.fitting import Column, Fitted

    found = listing()
    if as_json:
        print_json(found)
        return
    architectures, scenarios = found.architectures, found.scenarios
    needs = [" + ".join(each.needs).replace("_", " ") or "-" for each in architectures]
    out = console()
    out.print(
        Fitted(
            [
                Column("architecture", [each.name for each in architectures]),
                Column("role", [each.role for each in architectures], spare=1),
                Column("needs", needs),
                Column("route of a message", [each.summary for each in architectures], folds=True),
                Column("options (--arch-set)", [_options(each.options) for each in architectures]),
            ]
        )
    )
    out.print()
    out.print(
        Fitted(
            [
                Column("scenario", [each.name for each in scenarios]),
                Column("kind of chat", [each.summary for each in scenarios], folds=True),
                Column("options (--set)", [_options(each.options) for each in scenarios]),
            ]
        )
    )


def _options(defaults: Mapping[str, object]) -> str:
    """Return the options with their defaults, one per line."""
    texts = (f"{name}={value:g}" if isinstance(value, float) else f"{name}={value}" for name, value in defaults.items())
    return "\n".join(texts) or "-"
