"""The token that members must show to a gateway, read from the environment."""

from __future__ import annotations

import os
import re

TOKEN_CHARS_MIN = 16
TOKEN_CHARS = re.compile("[!-~]+")
TOKEN_VARIABLE = "CHATBENCH_TOKEN"  # noqa: S105 - the name of a variable, not a token


class BadToken(ValueError):
    """The token is not usable. The message is for the user, and does not contain the token."""


def token_of_environment() -> str | None:
    """Return the token, or None if CHATBENCH_TOKEN is not set; raises BadToken."""
    token = os.environ.get(TOKEN_VARIABLE) or None
    if token is not None and not TOKEN_CHARS.fullmatch(token):
        raise BadToken(
            f"{TOKEN_VARIABLE} holds a character that an HTTP header cannot carry in a token; "
            "it must be ASCII letters, digits and punctuation, without spaces and line breaks"
        )
    return token
