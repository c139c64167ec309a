"""Cells on a Dask cluster (extra ``[dask]``): a scheduler's address is all that is needed.

Workers need this project installed, not Prefect's server. Where a worker's project folder is the same one
as ours (a shared file system), results are simply there; otherwise what a cell reads travels to the worker
unless the very same is there (``dvc pull`` on every host spares the wire large data), and its outputs travel
back. Data are fetched and prepared here if any worker has a folder of its own. A worker with other code than
ours refuses.

Where workers offer the resource GPU (``dask worker --resources GPU=1``), methods that can use one ask for
it, so that each GPU has one cell at a time.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import os
import secrets
import tarfile
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from filelock import FileLock

from benchmark.data.store import sha256
from benchmark.experiments import environment, methods, settings
from contracts import UserError
from contracts.runtime.files import remove, write_whole
from flows.cells import perform
from flows.dvc_stages import Stage
from flows.processes import Log, StageError

if TYPE_CHECKING:
    from distributed import Client

BEAT = 2.0  # seconds between two signs of life of ours
SILENCE = 30.0  # seconds without one after which a worker ends our cells
CONNECT = 20.0  # seconds to reach the scheduler
DATA = ("fetch", "prepare", "derive")  # kinds of stages that make data


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
        self._apart = not all(self.client.run(shares_folder, self._name).values())
        self._data, self._hashing, self._hashes = threading.Lock(), threading.Lock(), dict[str, str]()
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
        if self._apart and cell.kind in DATA:
            with self._data:
                perform(cell, log, self.seconds, self._stopped)
            return
        topic = f"{self._name}-{cell.target}"
        self.client.subscribe_topic(topic, lambda event: log(str(event[1])))
        try:
            done = self._on_a_worker(cell, topic)
            if isinstance(done, Lacks):
                log(f"{cell.target}: sending {', '.join(done.paths)} to {done.worker}")
                done = self._on_a_worker(cell, topic, pack(done.paths, settings.project_root()), done.worker)
        finally:
            self.client.unsubscribe_topic(topic)
        if isinstance(done, bytes):
            unpack(done, cell.outs, settings.project_root(), beside=cell.costs)

    def _on_a_worker(
        self, cell: Stage, topic: str, sent: bytes | None = None, address: str | None = None
    ) -> bytes | Lacks | None:
        ins = {path: self._hash(path) for path in cell.ins}
        future = self.client.submit(
            work, cell, ins, sent, self._name, self._code, self.seconds, topic,
            pure=False, retries=0, workers=address, resources={"GPU": 1} if self.gpus and uses_gpu(cell) else {},
        )  # fmt: skip
        try:
            answer: bytes | Lacks | None = future.result()
        except StageError:
            raise
        except Exception as error:
            raise StageError(f"{cell.target}: the Dask worker failed: {error}") from None
        return answer

    def _hash(self, path: str) -> str:
        """Of something that is no longer written: its stage has ended, and we hold DVC's place."""
        with self._hashing:
            if path not in self._hashes:
                self._hashes[path] = content(settings.project_root() / path)
            return self._hashes[path]

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


@dataclass(frozen=True)
class Lacks:
    """What a worker has not, or has otherwise."""

    worker: str
    paths: tuple[str, ...]


def work(
    cell: Stage, ins: dict[str, str], sent: bytes | None, name: str, code: str, seconds: float | None, topic: str
) -> bytes | Lacks | None:
    """On a worker: run a cell; returns its outputs as a tar file, or None where our folder is theirs.

    ins   content hashes of what the cell reads; where the worker has other content, nothing runs: ``Lacks``
    sent  a tar file of what was lacking
    """
    from distributed import Variable, get_worker

    worker = get_worker()
    root = settings.project_root()
    if (here := environment.code_version()) != code:
        raise StageError(f"{cell.target}: the worker at {worker.address} has code {here}, expected {code}")
    shared = shares_folder(name)
    if not shared:
        with FileLock(root / ".cache/inputs.lock"):  # two cells may read the same
            lacking = tuple(path for path, expected in ins.items() if content(root / path) != expected)
            if lacking:
                if sent is None:
                    return Lacks(worker.address, lacking)
                unpack(sent, lacking, root)
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
    return None if shared else pack([*cell.outs, *spent(cell, root)], root)


def spent(cell: Stage, root: Path) -> list[str]:
    """The files of a cell's record of costs, relative to the project."""
    place = root / cell.costs
    paths = [place] if place.is_file() else sorted(place.glob("*.json")) if cell.costs else []
    return [path.relative_to(root).as_posix() for path in paths]


def content(path: Path) -> str:
    """A hash of a file, or of the names and contents below a folder; empty where there is neither."""
    if path.is_dir():
        below = sorted(each for each in path.rglob("*") if each.is_file())
        lines = "".join(f"{sha256(each)} {each.relative_to(path)}\n" for each in below)
        return hashlib.sha256(lines.encode()).hexdigest()
    return sha256(path) if path.is_file() else ""


def pack(paths: Sequence[str], root: Path) -> bytes:
    """Files and folders as a tar file."""
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w:gz") as archive:
        for path in paths:
            archive.add(root / path, arcname=path)
    return stream.getvalue()


def unpack(packed: bytes, paths: Sequence[str], root: Path, beside: str = "") -> None:
    """Put files and folders in place: beside their place first, then renamed; nothing but ``paths``.

    beside  a file, or a folder whose files are added to those that lie there
    """
    temporary = root / f".cache/unpack-{os.getpid()}-{threading.get_ident()}"
    try:
        with tarfile.open(fileobj=io.BytesIO(packed), mode="r:gz") as archive:
            archive.extractall(temporary, filter="data")
            added = [name for name in archive.getnames() if beside and name.startswith(beside)]
        for path in [*paths, *added]:
            remove(root / path)
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            os.replace(temporary / path, root / path)
    except OSError as error:
        raise UserError(f"{root / paths[0]}: cannot write: {error.strerror or error}") from None
    finally:
        remove(temporary)
