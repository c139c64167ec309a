"""``python -m benchmark.cli``: the same as ``emde``."""

import sys

from benchmark.cli.main import main

sys.exit(main())
