"""Cells on a Dask cluster (extra ``[dask]``): a scheduler's address is all that is needed.

Every worker's project folder is ours, on a file system that all hosts see; one that is elsewhere, or has other code,
refuses. Workers need this project installed, not Prefect's server.

Where workers offer the resource GPU (``dask worker --resources GPU=1``), methods that can use one ask for
it, so that each GPU has one cell at a time.
"""

from __future__ import annotations

import contextlib
import secrets
import threading
from typing import TYPE_CHECKING, Any

from benchmark.experiments import environment, methods, settings
from contracts import UserError
from contracts.runtime.files import write_whole
from flows.cells import perform
from flows.dvc_stages import Stage
from flows.processes import Log, StageError

if TYPE_CHECKING:
    from distributed import Client

BEAT = 2.0  # seconds between two signs of life of ours
SILENCE = 30.0  # seconds without one after which a worker ends our cells
CONNECT = 20.0  # seconds to reach the scheduler
ELSEWHERE = "expected to run in the project's folder {}, on a file system that all hosts see: docs/cluster.md"


class Dask:
    """The workers of a Dask cluster, one cell per thread of theirs."""

    def __init__(self, address: str, seconds: float | None = None) -> None:
        try:
            from distributed import Client
        except ImportError:
            raise UserError("dask: not installed; run: pip install 'emde-suite[dask]'") from None
        try:
            self.client: Client = Client(address, timeout=CONNECT, set_as_default=False)
        except (OSError, ValueError) as error:
            raise UserError(f"dask: no scheduler answers at {address}: {str(error).splitlines()[0]}") from None
        workers = self.client.scheduler_info(n_workers=-1)["workers"].values()
        self.slots = sum(worker["nthreads"] for worker in workers)
        if not self.slots:
            self.client.close()
            raise UserError(f"dask: the scheduler at {address} has no workers; start some: dask worker {address}")
        self.slots = max(self.slots, 2)  # one would leave everything to dvc repro, here
        self.gpus = any("GPU" in worker["resources"] for worker in workers)
        self.seconds = seconds
        self._name = f"emde-{secrets.token_hex(4)}"
        self._stopped = threading.Event()
        self._token = settings.project_root() / f".cache/{self._name}"
        self._code = environment.code_version()
        write_whole(self._token, self._code)
        apart = [worker for worker, shared in self.client.run(shares_folder, self._name).items() if not shared]
        if apart:
            self.close()
            raise UserError(f"dask: {', '.join(apart)}: {ELSEWHERE.format(settings.project_root())}")
        threading.Thread(target=self._beat, daemon=True).start()

    def _beat(self) -> None:
        """Say that we are alive: a worker that no longer hears it ends our cells."""
        from distributed import Variable

        life, count = Variable(self._name, client=self.client), 0
        while not self._stopped.wait(BEAT if count else 0):
            count += 1
            with contextlib.suppress(Exception):  # a scheduler that went away ends the cells by itself
                life.set(count)

    def run(self, cell: Stage, log: Log) -> None:
        topic = f"{self._name}-{cell.target}"
        self.client.subscribe_topic(topic, lambda event: log(str(event[1])))
        future = self.client.submit(
            work, cell, self._name, self._code, self.seconds, topic,
            pure=False, retries=0, resources={"GPU": 1} if self.gpus and uses_gpu(cell) else {},
        )  # fmt: skip
        try:
            future.result()
        except StageError:
            raise
        except Exception as error:
            raise StageError(f"{cell.target}: the Dask worker failed: {error}") from None
        finally:
            self.client.unsubscribe_topic(topic)

    def cancel(self) -> None:
        from distributed import Variable

        self._stopped.set()
        with contextlib.suppress(Exception):
            Variable(self._name, client=self.client).set(-1)

    def close(self) -> None:
        """Leave the cluster."""
        self._stopped.set()
        self._token.unlink(missing_ok=True)
        self.client.close()


def uses_gpu(cell: Stage) -> bool:
    """Whether a cell runs a method that has a ``device``."""
    known = settings.load()
    return cell.kind == "run" and any(
        cell.method in rows and "device" in methods.find(kind, known.base(kind, cell.method)).model_fields
        for kind, rows in known.methods.items()
    )


def shares_folder(name: str) -> bool:
    """On a worker: whether its project folder is the one of client ``name``."""
    return (settings.project_root() / f".cache/{name}").is_file()


def work(cell: Stage, name: str, code: str, seconds: float | None, topic: str) -> None:
    """On a worker: run a cell of client ``name``, whose code is ``code``."""
    from distributed import Variable, get_worker

    worker = get_worker()
    if (here := environment.code_version()) != code:
        raise StageError(f"{cell.target}: the worker at {worker.address} has code {here}, expected {code}")
    if not shares_folder(name):  # it came after we had asked
        raise StageError(f"{cell.target}: {worker.address}: {ELSEWHERE.format('of who started the run')}")
    cancelled, finished = threading.Event(), threading.Event()

    def listen() -> None:
        life: Any = Variable(name, client=worker.client)
        last, quiet = None, 0.0
        while not finished.wait(BEAT):
            try:
                now = life.get(timeout=BEAT)
            except Exception:  # whatever keeps us from hearing is silence
                now = last
            quiet = 0.0 if now != last else quiet + BEAT
            last = now
            if now == -1 or quiet > SILENCE:
                cancelled.set()
                return

    threading.Thread(target=listen, daemon=True).start()
    try:
        perform(cell, lambda line: worker.log_event(topic, line), seconds, cancelled)
    finally:
        finished.set()
