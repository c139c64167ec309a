"""What a person installs from: version, citation, changelog, container."""

from __future__ import annotations

import shutil
import subprocess
import tomllib

import pytest
import yaml

from tests.lock import PROJECT


def test_one_version() -> None:
    """pyproject.toml's is CITATION.cff's, and the changelog has a section of it."""
    project = tomllib.loads((PROJECT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    citation = yaml.safe_load((PROJECT / "CITATION.cff").read_text(encoding="utf-8"))
    assert citation["version"] == project["version"]
    assert f"\n## {project['version']}\n" in (PROJECT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert citation["references"][0]["url"] == project["urls"]["Paper"]


@pytest.mark.slow
def test_the_container() -> None:
    """Built, it runs a method; minutes, and gigabytes, where a docker daemon answers."""
    if shutil.which("docker") is None or subprocess.run(["docker", "info"], capture_output=True).returncode:
        pytest.skip("no docker daemon")
    subprocess.run(["docker", "build", "--tag", "emde-test", str(PROJECT)], check=True)
    run = ["docker", "run", "--rm", "emde-test"]
    version = subprocess.run([*run, "--version"], capture_output=True, text=True, check=True).stdout
    assert version.startswith("emde 0.")
    steps = "emde data prepare sample-sessions && emde run --data sample-sessions --split 0 --method ar"
    shell = [*run[:-1], "--entrypoint", "sh", run[-1], "-c", steps]
    assert "HR@20" in subprocess.run(shell, capture_output=True, text=True, check=True).stdout
