"""Tell a webhook how a run ended: one POST of a small JSON object to EMDE_WEBHOOK, if that is set."""

from __future__ import annotations

import logging
import os
import socket
from datetime import UTC, datetime

import requests

VARIABLE = "EMDE_WEBHOOK"
TIMEOUT = 10.0  # seconds

log = logging.getLogger("emde")


def notify(flow: str, run: str, state: str, message: str, link: str = "") -> bool:
    """Post {"flow", "run", "state", "message", "link", "host", "time"}; True if it was taken.

    A webhook that does not answer never harms a run: it is logged.
    """
    url = os.environ.get(VARIABLE)
    if not url:
        return False
    content = {
        "flow": flow,
        "run": run,
        "state": state,
        "message": message,
        "link": link,
        "host": socket.gethostname(),
        "time": datetime.now(UTC).isoformat(timespec="seconds"),
    }
    try:
        requests.post(url, json=content, timeout=TIMEOUT).raise_for_status()
    except requests.RequestException as error:
        log.warning("%s: %s was not told of %s: %s", VARIABLE, url, run, str(error).splitlines()[0])
        return False
    return True
