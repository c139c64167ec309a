"""The one error a user is meant to read."""

from __future__ import annotations

from pydantic import ValidationError

SHOWN = 80
"""Characters of a wrong value that a message shows."""


class UserError(Exception):
    """Bad input, named in one line: what (file, field or parameter), expected, found.

    The command line prints the message without a traceback and exits with status 2.
    """


class NotFinite(UserError):
    """A loss, factors or scores that are NaN or infinite: the training diverged, nothing of it is used."""


def invalid(place: str, error: ValidationError, noun: str = "", whole: str = "the whole") -> UserError:
    """The first thing that pydantic finds wrong, as ``place: field: what is expected, found ...``.

    noun   what a field is called (``parameter 'k'``); empty: its name alone
    whole  what stands for the field where the value as a whole is wrong
    """
    first = error.errors()[0]
    field = ".".join(str(part) for part in first["loc"]) or whole
    field = f"{noun} '{field}'" if noun else field
    return UserError(f"{place}: {field}: {first['msg']}, found {repr(first['input'])[:SHOWN]}")
