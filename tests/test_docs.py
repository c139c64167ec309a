"""What the documents show: the script that starts a paper runs, and its picture is of what is kept now."""

from __future__ import annotations

import re
import subprocess
import sys

from PIL import Image

from tests.lock import PROJECT

DOCUMENTS = [PROJECT / "README.md", *sorted((PROJECT / "docs").rglob("*.md"))]


def test_a_start_for_a_paper(tmp_path) -> None:
    """It prints the values and a LaTeX table; the committed picture was drawn from the same values."""
    new, kept = tmp_path / "new.png", PROJECT / "docs/pictures/rsc15-100k.png"
    done = subprocess.run([sys.executable, "docs/paper.py", str(new)], cwd=PROJECT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert r"\begin{tabular" in done.stdout
    assert "emde-searched" in done.stdout
    shown = [Image.open(path).info["Description"] for path in (kept, new)]
    assert shown[0] == shown[1], "not of what is kept now; draw it: python docs/paper.py docs/pictures/rsc15-100k.png"
    assert "ar 0.3256" in shown[0]


def test_the_claims_of_the_readme() -> None:
    """Its verdicts and our values are those of docs/claims.md."""
    readme, claims = ((PROJECT / name).read_text(encoding="utf-8") for name in ("README.md", "docs/claims.md"))
    rows = [line.split(" | ") for line in readme.splitlines() if line.startswith("| ") and line.count(" | ") == 3][1:]
    assert len(rows) >= 5
    for _, _, ours, verdict in rows:
        assert verdict.strip(" |") in claims
        for value in re.findall(r"\.\d{2,4}\b", ours):
            assert f"0{value}" in claims, value


def test_every_picture_is_there_and_shown() -> None:
    """Documents link to files that exist; no picture of docs/ is left that none shows."""
    linked = set()
    for path in DOCUMENTS:
        for link in re.findall(r"\]\(([^)#\s]+)[^)]*\)", path.read_text(encoding="utf-8")):
            if "://" not in link:
                assert (path.parent / link).exists(), f"{path.relative_to(PROJECT)}: {link}"
                linked.add((path.parent / link).resolve())
    assert set((PROJECT / "docs").rglob("*.png")) <= linked
