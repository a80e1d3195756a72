"""Volume against steered diversity: python benchmarks/study.py [--budget 500,1000,2000,5000] [--seeds 3] [--size 500]

`tds study` with the scripted teacher at compliance 0.8, in bubblewrap, in a home that is removed afterwards. All
budgets and three seeds take hours on two cores. It proves the machinery, not a model's quality.
"""

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path

SETTINGS = {"TDS_MODEL": "teacher", "TDS_COMPLIANCE": "0.8", "TDS_SANDBOX": "bubblewrap", "TDS_CONCURRENCY": "32"}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--budget", default="100,200", help="kept trajectories at which the arms are compared")
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--size", type=int, default=100, help="blueprints per batch")
    chosen = parser.parse_args()
    command = [str(Path(sys.executable).with_name("tds")), "study", "--budget", chosen.budget]
    with tempfile.TemporaryDirectory(prefix="tds-study-") as home:
        subprocess.run(
            [*command, "--seeds", str(chosen.seeds), "--size", str(chosen.size)],
            env={**os.environ, **SETTINGS, "TDS_HOME": home},
            check=True,
        )


if __name__ == "__main__":
    main()
