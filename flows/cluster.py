"""Cells on a Dask cluster (extra ``[dask]``): a scheduler's address is all that is needed.

Workers need this project installed, not Prefect's server. Where a worker's project folder is the same one
as ours (a shared file system), results are simply there; otherwise the outputs travel back, and data must
be there already (``dvc pull`` on every host). A worker with other code than ours refuses.

Where workers offer the resource GPU (``dask worker --resources GPU=1``), methods that can use one ask for
it, so that each GPU has one cell at a time.
"""

from __future__ import annotations

import contextlib
import io
import os
import secrets
import tarfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmark import environment, methods, settings
from contracts import UserError
from contracts.files import write_whole
from flows.cells import Cell, perform, remove
from flows.dvc_stages import Stage
from flows.processes import Log, StageError

if TYPE_CHECKING:
    from distributed import Client

BEAT = 2.0  # seconds between two signs of life of ours
SILENCE = 30.0  # seconds without one after which a worker ends our cells
CONNECT = 20.0  # seconds to reach the scheduler


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
        write_whole(self._token, environment.code_version())
        threading.Thread(target=self._beat, daemon=True).start()

    def _beat(self) -> None:
        """Say that we are alive: a worker that no longer hears it ends our cells."""
        from distributed import Variable

        life, count = Variable(self._name, client=self.client), 0
        while not self._stopped.wait(BEAT if count else 0):
            count += 1
            with contextlib.suppress(Exception):  # a scheduler that went away ends the cells by itself
                life.set(count)

    def run(self, cell: Cell, log: Log) -> None:
        topic = f"{self._name}-{cell.target}"
        self.client.subscribe_topic(topic, lambda event: log(str(event[1])))
        future = self.client.submit(
            work, cell, self._name, environment.code_version(), self.seconds, topic,
            pure=False, retries=0, resources={"GPU": 1} if self.gpus and uses_gpu(cell) else {},
        )  # fmt: skip
        try:
            packed = future.result()
        except StageError:
            raise
        except Exception as error:
            raise StageError(f"{cell.target}: the Dask worker failed: {error}") from None
        finally:
            self.client.unsubscribe_topic(topic)
        if packed is not None:
            unpack(packed, cell, settings.project_root())

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


def uses_gpu(cell: Cell) -> bool:
    """Whether a cell runs a method that has a ``device``."""
    stage, known = Stage(cell.target), settings.load()
    return stage.kind == "run" and any(
        stage.method in rows and "device" in methods.find(kind, known.base(kind, stage.method)).model_fields
        for kind, rows in known.methods.items()
    )


def work(cell: Cell, name: str, code: str, seconds: float | None, topic: str) -> bytes | None:
    """On a worker: run a cell; returns its outputs as a tar file, or None where our folder is theirs."""
    from distributed import Variable, get_worker

    worker = get_worker()
    root = settings.project_root()
    if (found := environment.code_version()) != code:
        raise StageError(f"{cell.target}: the worker at {worker.address} has code {found}, expected {code}")
    cancelled, finished = threading.Event(), threading.Event()

    def listen() -> None:
        life: Any = Variable(name, client=worker.client)
        last, quiet = None, 0.0
        while not finished.wait(BEAT):
            try:
                now = life.get(timeout=BEAT)
            except Exception:
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
    return None if (root / f".cache/{name}").is_file() else pack(cell, root)


def pack(cell: Cell, root: Path) -> bytes:
    """The outputs of a cell as a tar file."""
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w:gz") as archive:
        for out in cell.outs:
            archive.add(root / out, arcname=out)
    return stream.getvalue()


def unpack(packed: bytes, cell: Cell, root: Path) -> None:
    """Put outputs in place: beside their place first, then renamed; nothing but the cell's own outputs."""
    temporary = root / f".cache/unpack-{os.getpid()}-{threading.get_ident()}"
    try:
        with tarfile.open(fileobj=io.BytesIO(packed), mode="r:gz") as archive:
            archive.extractall(temporary, filter="data")
        for out in cell.outs:
            remove(root / out)
            (root / out).parent.mkdir(parents=True, exist_ok=True)
            os.replace(temporary / out, root / out)
    except OSError as error:
        raise UserError(f"{root / cell.outs[0]}: cannot write: {error.strerror or error}") from None
    finally:
        remove(temporary)


@contextlib.contextmanager
def connected(address: str, seconds: float | None) -> Iterator[Dask]:
    """A cluster for as long as the block lasts."""
    crew = Dask(address, seconds)
    try:
        yield crew
    finally:
        crew.close()
