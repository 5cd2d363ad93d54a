"""Runs the quick ones of all measurements, one after the other: `make bench`, about six minutes.

    python -m benchmarks [NAME ...]

Without names: all of the list below, in short versions. Each can be run by itself at full length;
see README.md beside this file.
"""

from __future__ import annotations

import subprocess
import sys
import time

QUICK = {
    "group_size": ["--products", "60"],
    "simulator_throughput": ["--calls", "600"],
    "provider_call": ["--calls", "1000"],
    "import_rows": ["--rows", "100000"],
    "footprints": ["--products", "10000"],
    "recompute": ["--products", "5000"],
    "overhead": ["--products", "2000"],
    "scaling": ["--sizes", "500,2000"],
    "workers": ["--minutes", "0.95", "--latency", "2"],
    "quota": ["--scenarios", "A,T,S", "--minutes", "1.95"],
}
"""What is run, in this order, with the options that make it short."""


def main() -> int:
    """Run the named ones, or all; returns 1 when one of them broke."""
    names = sys.argv[1:] or list(QUICK)
    if unknown := [name for name in names if name not in QUICK]:
        print(f"There is no benchmark {unknown[0]}. There are: {', '.join(QUICK)}.")
        return 2
    broken = []
    for name in names:
        print(f"\n── {name} {' '.join(QUICK[name])}", flush=True)
        started_s = time.perf_counter()
        code = subprocess.run(
            [sys.executable, "-m", f"benchmarks.{name}", *QUICK[name]], check=False
        ).returncode
        print(f"── {name}: {time.perf_counter() - started_s:.0f} s", flush=True)
        if code:
            broken.append(name)
    if broken:
        print(f"Broken: {', '.join(broken)}")
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
