"""The token that gateways ask for and members show, read from the environment."""

from __future__ import annotations

import os
import re

TOKEN_CHARS_MIN = 16
TOKEN_CHARS = re.compile("[!-~]+")
TOKEN_VARIABLE = "CHATBENCH_TOKEN"  # noqa: S105 - the name of a variable, not a token


class BadToken(ValueError):
    """The message is for the user, and does not show it."""


def token_of_environment() -> str | None:
    """What gateways ask for and members show. Raises BadToken."""
    token = os.environ.get(TOKEN_VARIABLE) or None
    if token is not None and not TOKEN_CHARS.fullmatch(token):
        raise BadToken(
            f"{TOKEN_VARIABLE} holds a character that an HTTP header cannot carry in a token; "
            "it must be letters, digits and punctuation of ASCII, without spaces and ends of lines"
        )
    return token
