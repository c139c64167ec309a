"""``python -m tests.flows.opened REPORT MODULE ARGUMENTS...``: run a module; REPORT names the files here that it read.

What compiled code opens (Parquet files) is not seen.
"""

import os
import runpy
import sys
from pathlib import Path
from typing import Any


def main() -> None:
    report, module, *arguments = sys.argv[1:]
    opened: set[str] = set()
    here = Path.cwd()

    def note(event: str, given: tuple[Any, ...]) -> None:
        if event == "open" and isinstance(given[0], str | os.PathLike) and not given[2] & (os.O_WRONLY | os.O_RDWR):
            path = here / os.fspath(given[0])
            if path.is_relative_to(here):
                opened.add(path.relative_to(here).as_posix())

    sys.addaudithook(note)
    sys.argv = [module, *arguments]
    try:
        runpy.run_module(module, run_name="__main__", alter_sys=True)
    finally:
        Path(report).write_text("\n".join(sorted(opened)), encoding="utf-8")


if __name__ == "__main__":
    main()
