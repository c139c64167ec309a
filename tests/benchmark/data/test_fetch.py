from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import zipfile

import pytest
import yaml

from benchmark.data import as_is, checksums, download, fetch, registry
from benchmark.data.registry import Dataset, File
from contracts import UserError
from contracts.runtime.json import read_json
from tests.benchmark.data.faulty_server import CONTENT, serving

SHA256 = hashlib.sha256(CONTENT).hexdigest()


def dataset(*files: File, **fields) -> Dataset:
    about = {"title": "t", "licence": "l", "citation": "c", "homepage": "h", "comparable": "public"}
    return Dataset(name="tiny", kind="session", parser="session-rec", files=files, splits=("0",), **about, **fields)


@pytest.fixture
def tiny(root, monkeypatch):
    """Registers a data set 'tiny' with the given files and impatient downloads."""
    monkeypatch.setattr(download, "PATIENCE", download.Patience(3, 0.01, 1, 0.3, 0.05))

    def register(*files: File, **fields) -> None:
        known = registry._built_in() | {"tiny": dataset(*files, **fields)}
        monkeypatch.setattr(registry, "_built_in", lambda: known)

    return register


def mirror_with(tmp_path, monkeypatch, content: bytes, name: str = "data.bin"):
    (tmp_path / "mirror" / "tiny").mkdir(parents=True)
    (tmp_path / "mirror" / "tiny" / name).write_bytes(content)
    monkeypatch.setenv("EMDE_MIRROR", str(tmp_path / "mirror"))


def test_missing_mirror_folder(root, monkeypatch):
    monkeypatch.setenv("EMDE_MIRROR", "/nowhere/at/all")
    with pytest.raises(UserError, match="EMDE_MIRROR: expected an existing folder or a URL, found '/nowhere/at/all'"):
        fetch.fetch("rsc15-100k")


def test_mirror_folder_is_tried_first(tiny, root, tmp_path, monkeypatch):
    tiny(File(name="data.bin", sha256=SHA256, urls=("http://127.0.0.1:9/x",)))
    mirror_with(tmp_path, monkeypatch, CONTENT)
    assert (fetch.fetch("tiny") / "data.bin").read_bytes() == CONTENT


def test_checksum_holds_for_the_mirror_too(tiny, root, tmp_path, monkeypatch):
    tiny(File(name="data.bin", sha256=SHA256))
    mirror_with(tmp_path, monkeypatch, b"other")
    with pytest.raises(UserError, match="expected sha256"):
        fetch.fetch("tiny")
    assert not (root / "raw" / "tiny" / "data.bin").exists()


def test_a_mirror_without_the_file_falls_back_to_the_sources_in_order(tiny, root, tmp_path, monkeypatch):
    with serving() as server:
        tiny(File(name="data.bin", sha256=SHA256, urls=(f"{server.url}/html", f"{server.url}/none")))
        mirror_with(tmp_path, monkeypatch, CONTENT, "other.bin")
        assert (fetch.fetch("tiny") / "data.bin").read_bytes() == CONTENT


def test_a_wrong_file_of_a_mirror_is_refused_at_once_or_taken_as_it_is(tiny, root, tmp_path, monkeypatch, caplog):
    """No source is asked; what is taken as it is stays so, says so, and is never recorded."""
    with serving() as server:
        tiny(File(name="data.bin", sha256=SHA256, urls=(f"{server.url}/none",)))
        mirror_with(tmp_path, monkeypatch, b"other")
        with pytest.raises(UserError, match=r"mirror/tiny/data\.bin: .*expected sha256 .* fetch tiny --as-is"):
            fetch.fetch("tiny")
    assert fetch.fetch("tiny", as_they_are=True).joinpath("data.bin").read_bytes() == b"other"
    monkeypatch.delenv("EMDE_MIRROR")
    fetch.fetch("tiny")
    assert caplog.text.count(as_is.STATED) == 2
    assert as_is.judged("tiny").approximate == as_is.STATED
    assert not (root / "registry").exists()
    (root / "raw/tiny/data.bin").unlink()
    with pytest.raises(UserError, match="could not be fetched offline"):
        fetch.fetch("tiny")


def test_mirror_may_be_a_url(tiny, root, monkeypatch):
    with serving() as server:
        tiny(File(name="data.bin", sha256=SHA256))
        monkeypatch.setenv("EMDE_MIRROR", f"{server.url}/none")
        assert (fetch.fetch("tiny") / "data.bin").read_bytes() == CONTENT


def test_present_file_is_not_fetched_again_and_a_damaged_one_is(tiny, root, caplog):
    with serving() as server:
        tiny(File(name="data.bin", sha256=SHA256, urls=(f"{server.url}/none",)))
        path = fetch.fetch("tiny") / "data.bin"
        fetch.fetch("tiny")
        assert sum(server.seen.values()) == 1
        path.write_bytes(b"damaged")
        fetch.fetch("tiny")
        assert path.read_bytes() == CONTENT
        assert "damaged" in caplog.text


def test_damaged_file_that_cannot_be_replaced(tiny, root):
    tiny(File(name="data.bin", sha256=SHA256))
    (root / "raw" / "tiny").mkdir(parents=True)
    (root / "raw" / "tiny" / "data.bin").write_bytes(b"damaged")
    with pytest.raises(
        UserError, match=r"data.bin is damaged \(expected sha256 \w+, found \w+\) and could not be fetched"
    ):
        fetch.fetch("tiny")


def test_a_mirror_may_keep_the_files_under_another_name(tiny, root, tmp_path, monkeypatch):
    tiny(File(name="data.bin", sha256=SHA256), mirror="relative")
    mirror_with(tmp_path, monkeypatch, CONTENT)
    os.rename(tmp_path / "mirror" / "tiny", tmp_path / "mirror" / "relative")
    assert (fetch.fetch("tiny") / "data.bin").read_bytes() == CONTENT


def test_offline_uses_no_network(tiny, root):
    with serving() as server:
        tiny(File(name="data.bin", sha256=SHA256, urls=(f"{server.url}/none",)))
        with pytest.raises(UserError, match="could not be fetched offline"):
            fetch.fetch("tiny", offline=True)
        assert not server.seen


def test_unknown_checksum_is_recorded_then_enforced(tiny, root):
    with serving() as server:
        tiny(File(name="data.bin", urls=(f"{server.url}/none",)))
        path = fetch.fetch("tiny") / "data.bin"
        path.unlink()
        tiny(File(name="data.bin", urls=(f"{server.url}/always_flip",)))
        with pytest.raises(UserError, match=f"expected sha256 {SHA256}"):
            fetch.fetch("tiny")


def test_recorded_checksums_of_a_data_root_elsewhere_stay_there(tiny, root, tmp_path):
    with serving() as server:
        tiny(File(name="data.bin", urls=(f"{server.url}/none",)))
        fetch.fetch("tiny")
    assert not (tmp_path / "registry/checksums.lock.json").exists()
    assert read_json(root / "registry/checksums.lock.json")["tiny"]["data.bin"]["sha256"] == SHA256


def test_recorded_checksums_lie_next_to_the_registry_entry(tiny, root, tmp_path, monkeypatch):
    monkeypatch.setattr(checksums, "project_root", lambda: root.parent)
    with serving() as server:
        tiny(File(name="data.bin", urls=(f"{server.url}/none",)))
        fetch.fetch("tiny")
    built_in = tmp_path / "registry" / "checksums.lock.json"
    assert read_json(built_in) == {"tiny": {"data.bin": {"sha256": SHA256, "size": len(CONTENT)}}}
    assert checksums.lock_path("tiny") == built_in
    (root / "registry").mkdir()
    (root / "registry" / "tiny.yaml").write_text("own")
    assert checksums.lock_path("tiny") == root / "registry" / "checksums.lock.json"


def test_a_registered_checksum_is_not_recorded(tiny, root, tmp_path):
    with serving() as server:
        tiny(File(name="data.bin", sha256=SHA256, urls=(f"{server.url}/none",)))
        fetch.fetch("tiny")
    assert not (tmp_path / "registry" / "checksums.lock.json").exists()


def test_a_damaged_lock_is_one_clear_line(tiny, root, tmp_path):
    (tmp_path / "registry" / "checksums.lock.json").write_text("{")
    tiny(File(name="data.bin", urls=("http://127.0.0.1:9/x",)))
    with pytest.raises(UserError, match=r"checksums.lock.json: expected JSON, found") as error:
        fetch.fetch("tiny")
    assert "\n" not in str(error.value)


def test_nothing_recorded_is_lost_when_processes_record_at_once(tiny, root, tmp_path):
    tiny(File(name="data.bin"))
    files = [tmp_path / f"{number}.bin" for number in range(8)]
    for path in files:
        path.write_text(path.name)
    code = (
        "import sys; from pathlib import Path; from benchmark.data import checksums, registry; "
        "registry.FOLDER = Path(sys.argv[1]); [checksums.record('tiny', Path(name)) for name in sys.argv[2:]]"
    )
    command = [sys.executable, "-c", code, str(tmp_path / "registry")]
    halves = [subprocess.Popen([*command, *map(str, files[start::2])]) for start in (0, 1)]
    assert [run.wait(timeout=60) for run in halves] == [0, 0]
    assert set(read_json(checksums.lock_path("tiny"))["tiny"]) == {path.name for path in files}


def test_manual_step_names_page_file_and_folder_and_goes_on(root, tmp_path):
    with pytest.raises(UserError) as error:
        fetch.fetch("retail")
    for part in ("kaggle.com/datasets/retailrocket", "archive.zip", str(root / "raw" / "retail")):
        assert part in str(error.value)
    assert "\n" not in str(error.value)
    folder = root / "raw" / "retail"
    with zipfile.ZipFile(folder / "archive.zip", "w") as archive:
        for name in registry.get("retail").files[0].unpack:
            archive.writestr(f"ecommerce/{name}", f"content of {name}")
    fetch.fetch("retail")
    assert (folder / "events.csv").read_text() == "content of events.csv"
    # The unpacked files alone will do; a change in them is noticed.
    (folder / "archive.zip").unlink()
    fetch.fetch("retail")
    (folder / "events.csv").write_text("changed")
    with pytest.raises(UserError, match="by hand"):
        fetch.fetch("retail")


def test_generated_data_is_deterministic_and_made_once(root):
    folder = fetch.fetch("sample-ratings")
    first = {path.name: path.read_bytes() for path in folder.iterdir()}
    stamp = (folder / "ratings.csv").stat().st_mtime_ns
    fetch.fetch("sample-ratings")
    assert (folder / "ratings.csv").stat().st_mtime_ns == stamp
    (folder / "ratings.csv").write_text("damaged")
    fetch.fetch("sample-ratings")
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == first


def test_two_processes_fetch_the_same_file_at_once(root):
    """Both succeed, the file is right, and it crossed the wire once."""
    about = {"title": "t", "licence": "l", "citation": "c", "homepage": "h", "comparable": "public"}
    code = "from benchmark.data.fetch import fetch; fetch('mine')"
    with serving() as server:
        files = [{"name": "data.bin", "urls": [f"{server.url}/slow"]}]
        entry = {"name": "mine", "kind": "session", "parser": "session-rec", "splits": ["0"], "files": files, **about}
        (root / "registry").mkdir(parents=True)
        (root / "registry" / "mine.yaml").write_text(yaml.safe_dump(entry))
        runs = [subprocess.Popen([sys.executable, "-c", code]) for _ in range(2)]
        assert [run.wait(timeout=60) for run in runs] == [0, 0]
        assert sum(server.seen.values()) == 1
    assert [path.name for path in (root / "raw" / "mine").iterdir()] == ["data.bin"]
    assert (root / "raw" / "mine" / "data.bin").read_bytes() == CONTENT
    assert read_json(root / "registry" / "checksums.lock.json")["mine"]["data.bin"]["sha256"] == SHA256


def test_two_processes_generate_at_once(root):
    code = "from benchmark.data.fetch import fetch; fetch('sample-ratings')"
    runs = [subprocess.Popen([sys.executable, "-c", code]) for _ in range(2)]
    assert [run.wait(timeout=60) for run in runs] == [0, 0]
    assert (root / "raw" / "sample-ratings" / "ratings.csv").exists()
