"""Parsing and slicing a click file of RSC15's form: at least a million rows a second, memory in proportion.

Measured once at the full size (33 million rows, 2 shared cores): parse 3.4 M rows/s, parse and slice 1.6 M rows/s,
peak 3.0 GB (benchmark/bench_data.py). Here a third of that.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pacsv
import pytest

ROWS = 10_000_000
BLOCK = 1_000_000
DAYS = 182
MEASURE = """
import resource, sys, time
from pathlib import Path
from benchmark.data import registry
from benchmark.data.parsers import parse
from benchmark.data.splits import build
dataset, begin = registry.get("rsc15"), time.time()
dataset.options.pop("interactions")
parsed = parse(dataset, Path(sys.argv[1]))
for _ in build(dataset, parsed):
    pass
print(len(parsed.table) / (time.time() - begin), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6)
"""


def write_clicks(path: Path) -> None:
    random = np.random.default_rng(0)
    plain = pacsv.WriteOptions(include_header=False, quoting_style="none")
    with open(path, "wb") as stream:
        for block in range(ROWS // BLOCK):
            sessions = np.sort(random.integers(0, BLOCK // 4, BLOCK))
            begin = (block + np.sort(random.random(BLOCK // 4))) / (ROWS // BLOCK) * DAYS * 86400e3
            stamps = 1396310400000 + begin.astype(np.int64)[sessions] + np.arange(BLOCK) % 7 * 30000
            times = pc.strftime(pa.array(stamps, pa.timestamp("ms")), format="%Y-%m-%dT%H:%M:%SZ")
            items = 214500000 + random.zipf(1.3, BLOCK) % 52000
            columns = [sessions + block * BLOCK, times, items, np.zeros(BLOCK, np.int64)]
            pacsv.write_csv(pa.table(columns, names=["s", "t", "i", "c"]), stream, plain)


@pytest.mark.slow
def test_clicks_parse_and_slice_fast_in_bounded_memory(tmp_path):
    write_clicks(tmp_path / "yoochoose-clicks.dat")
    run = subprocess.run([sys.executable, "-c", MEASURE, str(tmp_path)], capture_output=True, text=True, check=True)
    speed, gigabytes = map(float, run.stdout.split())
    assert speed > 1e6
    assert gigabytes < 4 * ROWS / 33e6 + 0.5
