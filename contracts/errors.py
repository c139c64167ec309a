"""The one error a user is meant to read."""

from __future__ import annotations


class UserError(Exception):
    """Bad input, named in one line: what (file, field or parameter), expected, found.

    The command line prints the message without a traceback and exits with status 2.
    """
