"""A tiny DVC project with the real stage kinds and shell commands; one Prefect on such a one for a module."""

import atexit
import http.server
import json
import os
import shutil
import subprocess
import sys
import tempfile
import textwrap
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
import yaml

from tests.parameters import write_parameters

PREFECT_HOME = tempfile.mkdtemp(prefix="prefect-test-")  # before anything imports prefect
atexit.register(shutil.rmtree, PREFECT_HOME, ignore_errors=True)
os.environ.update(PREFECT_HOME=PREFECT_HOME, PREFECT_SERVER_ANALYTICS_ENABLED="false", DO_NOT_TRACK="1")
os.environ.pop("PREFECT_API_URL", None)

PROFILES = {
    "sample": {
        "title": "tiny",
        "session": [{"data": ["sample-sessions"], "methods": ["pop", "ar"]}],
        "density": ["digits"],
    },
    "small": {"title": "tiny too", "session": [{"data": ["sample-sessions"], "methods": ["pop"]}]},
}
TABLES = "results/generated/profiles/{}/tables"


def _stage(cmd: str, deps: list[str], out: str) -> dict[str, Any]:
    return {"cmd": f"mkdir -p {Path(out).parent} && {cmd}", "deps": deps, "outs": [out]}


def stages() -> dict[str, Any]:
    """What ``emde pipeline`` would make of the two profiles, with shell commands."""
    found = {}
    for data in ("sample-sessions", "digits"):
        found[f"fetch--{data}"] = _stage(f"echo {data} > raw/{data}", ["wish"], f"raw/{data}")
        found[f"prepare--{data}"] = _stage(f"cp raw/{data} prepared/{data}", [f"raw/{data}"], f"prepared/{data}")
    for method in ("pop", "ar"):
        run, metrics = f"runs/{method}", f"metrics/{method}"
        deps = ["prepared/sample-sessions", "method.sh"]
        found[f"run--sample-sessions--{method}"] = _stage(f"sh method.sh {method} {run}", deps, run)
        found[f"evaluate--sample-sessions--{method}"] = _stage(f"cp {run} {metrics}", [run], metrics)
    found["density--digits"] = _stage("cp prepared/digits density/digits", ["prepared/digits"], "density/digits")
    return found | {"tables--sample": tables("sample", ["metrics/pop", "metrics/ar", "density/digits"])}


def tables(profile: str, deps: list[str]) -> dict[str, Any]:
    """The tables of a profile: what is there of what it needs, one after the other."""
    out = TABLES.format(profile)
    made = f"mkdir -p {out} && touch metrics/none density/none && cat metrics/* density/* > {out}/tables.md"
    made += f" && sh tables.sh {out}/tables.md"  # what repro says of failed cells comes behind it
    return {"cmd": f"mkdir -p metrics density && {made}", "deps": deps, "outs": [out]}


METHOD = "echo fitting $1; echo ranked by $1 > $2\n"
FAILED = '[ "$2" != --failed ] || cat "$3" >> $1\n'
SLEEPS = "touch started; sleep 987.5; echo ranked by $1 > $2\n"


ROOT = Path(__file__).parents[2]


def make_project(tmp_path: Path) -> None:
    """The tiny project in an empty folder, with the real deployments (of methods: those that it has)."""
    (tmp_path / ".dvc").mkdir()
    (tmp_path / ".dvc/config").write_text(
        "[core]\n    no_scm = true\n    analytics = false\n    check_update = false\n"
    )
    write_parameters(
        tmp_path,
        {"threads": 1, "seed": 0, "profiles": PROFILES, "methods": {"session": {"pop": {}, "ar": {}}, "topk": {}},
         "density": {"digits": {"n": [1], "k": [1], "bandwidth": 1.0, "seeds": 1}}},
    )  # fmt: skip
    (tmp_path / "dvc.yaml").write_text(yaml.safe_dump({"stages": stages()}, sort_keys=False))
    (tmp_path / "pyproject.toml").write_text("[tool.emde]\n")
    small = {"tables--small": {"wdir": "../..", **tables("small", ["metrics/pop"])}}
    (tmp_path / "profiles/small/dvc.yaml").write_text(yaml.safe_dump({"stages": small}))
    (tmp_path / "method.sh").write_text(METHOD)
    (tmp_path / "tables.sh").write_text(FAILED)
    (tmp_path / "wish").write_text("1\n")
    deployments = yaml.safe_load((ROOT / "prefect.yaml").read_text())
    for entry in deployments["deployments"]:
        if "methods" in entry.get("parameters", {}):
            entry["parameters"]["methods"] = []
    (tmp_path / "prefect.yaml").write_text(yaml.safe_dump(deployments))


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The tiny project, as working directory."""
    make_project(tmp_path)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    return tmp_path


def dvc(*arguments: str) -> str:
    """Standard output of a DVC command typed by hand."""
    return subprocess.run([sys.executable, "-m", "dvc", *arguments], capture_output=True, text=True, check=True).stdout


def python(code: str) -> subprocess.Popen[str]:
    """A Python process that runs some lines."""
    return subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(code)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


BUSY = 3
"""A machine that does other things, too, may take so many times as long."""


def until(condition: Callable[[], object], seconds: float, what: str) -> None:
    """Wait for something to become true, which takes less than so many seconds where nothing else runs."""
    deadline = time.monotonic() + BUSY * seconds
    while not condition():
        assert time.monotonic() < deadline, f"expected within {BUSY * seconds:.0f} s: {what}"
        time.sleep(0.05)


def living(folder: Path) -> list[psutil.Process]:
    """Processes at work in a folder, without us."""
    found = []
    for process in psutil.process_iter(["cwd", "status"]):
        inside = process.info["cwd"] and Path(process.info["cwd"]).is_relative_to(folder)
        if inside and process.pid != os.getpid() and process.info["status"] != psutil.STATUS_ZOMBIE:
            found.append(process)
    return found


class Served:
    """``python -m flows.ui`` on a tiny project, with a webhook that keeps what it was told."""

    def __init__(self, folder: Path) -> None:
        from flows import ui
        from tests.flows.api import Api

        self.folder, self.port, self.told = folder, ui.free_port(), list[dict[str, Any]]()
        self.api = Api(self.port)
        self.process: subprocess.Popen[str] | None = None
        told = self.told

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                told.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
                self.send_response(200)
                self.end_headers()

            def log_message(self, *args: object) -> None:
                pass

        self.webhook = http.server.ThreadingHTTPServer((ui.HOST, 0), Handler)
        threading.Thread(target=self.webhook.serve_forever, daemon=True).start()

    def start(self) -> None:
        """Returns when all is ready."""
        hook = f"http://127.0.0.1:{self.webhook.server_address[1]}/hook"
        home = str(self.folder / "prefect")
        env = {**os.environ, "PYTHONPATH": str(ROOT), "PREFECT_HOME": home, "EMDE_WEBHOOK": hook}
        self.process = subprocess.Popen(
            [sys.executable, "-m", "flows.ui", "--port", str(self.port)],
            cwd=self.folder, env=env, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        assert self.process.stderr is not None
        said: list[str] = []
        for line in self.process.stderr:
            said.append(line)
            if "Ctrl-C" in line:
                return
        raise AssertionError("".join(said))

    def stop(self) -> None:
        """SIGTERM: all ends, and nothing is left."""
        assert self.process is not None
        self.process.terminate()
        assert self.process.wait(BUSY * 90) == 0
        assert not living(self.folder)

    def hears(self, run: str, state: str) -> dict[str, Any]:
        """Wait until the webhook was told of a run's end (a busy server may repeat it); returns what it got."""
        until(lambda: self.of(run), 60, f"the webhook to hear of {run}")
        assert {told["state"] for told in self.of(run)} == {state}
        return self.of(run)[0]

    def of(self, run: str) -> list[dict[str, Any]]:
        """What the webhook was told of a run."""
        return [one for one in self.told if one["link"].endswith(run)]


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """One server, one worker, for all tests of the module."""
    folder = tmp_path_factory.mktemp("served")
    make_project(folder)
    made = Served(folder)
    try:
        made.start()
        yield made
        made.stop()
    finally:
        if made.process is not None:
            made.process.kill()
            made.process.wait()
        made.webhook.shutdown()
