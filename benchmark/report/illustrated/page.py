"""The page "EMDE, illustrated": HTML with everything in it, Markdown for readers on GitHub, and the pictures."""

from __future__ import annotations

import base64
from pathlib import Path

from jinja2 import Environment, PackageLoader, select_autoescape

from benchmark.report.figures.style import rendered
from benchmark.report.illustrated import count_min, globe, gmean, partitions, purchases, thresholds
from contracts.runtime.files import write_whole
from contracts.runtime.progress import track

PICTURES = (globe, partitions, thresholds, purchases, count_min, gmean)
"""In the order of the page."""
TITLE = "EMDE, illustrated"
LEAD = (
    "EMDE keeps how many points lie where, in counters over random partitions of space. Every picture here is computed "
    "by the suite's own code; the module named below it fits on a screen or two: change it and run emde illustrated."
)


def write(out: Path) -> Path:
    """Compute every picture; write index.html (nothing loaded from elsewhere), README.md and PNGs to ``out``."""
    sections = []
    for module in track(PICTURES, "illustrated", len(PICTURES)):
        picture = module.picture()
        image = rendered(picture.figure, "png")
        write_whole(out / f"{picture.name}.png", image, "the picture")
        source = module.__name__.replace(".", "/") + ".py"
        sections.append({"picture": picture, "source": source, "data": base64.b64encode(image).decode()})
    environment = Environment(loader=PackageLoader("benchmark.report"), autoescape=select_autoescape())
    page = environment.get_template("illustrated.html").render(title=TITLE, lead=LEAD, sections=sections)
    write_whole(out / "README.md", markdown(sections), "the page")
    return write_whole(out / "index.html", page, "the page")


def markdown(sections: list[dict]) -> str:
    """The page for GitHub, pictures beside it."""
    parts = [f"# {TITLE}", LEAD]
    for section in sections:
        picture = section["picture"]
        parts += [
            f"## {picture.title}",
            f"![{picture.alt}]({picture.name}.png)",
            *picture.text,
            f"Computed by `{section['source']}`.",
        ]
    return "\n\n".join(parts) + "\n"
