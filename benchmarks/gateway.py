"""A LiteLLM proxy between Weighbridge and the simulator: labels, limits and a wrong key must
survive the gateway.

    python -m venv /tmp/gateway && /tmp/gateway/bin/pip install 'litellm[proxy]'
    python -m benchmarks.gateway /tmp/gateway/bin/litellm

LiteLLM is installed apart: it is no dependency. Starts the simulator and the proxy on free ports,
runs the sample catalogue through both, looks at the simulator's books, then tries a wrong key.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import urllib.request
from pathlib import Path
from typing import Final

from benchmarks.harness import CATALOGUE, running, wait_for
from tests.support.ports import free_port

KEY: Final = "sk-gateway-1234"
RPM: Final = 30
CONFIG: Final = """\
model_list:
  - model_name: gpt-6-luna
    litellm_params: {{model: openai/gpt-6-luna, api_base: "http://127.0.0.1:{port}/v1", api_key: sk-simulated, drop_params: true}}
litellm_settings: {{num_retries: 0}}
general_settings: {{master_key: {key}}}
"""


def main() -> None:
    """Print what was seen; exit code 1 when something does not hold."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n\n")[0])
    parser.add_argument("litellm", nargs="?", default="litellm", help="the program of LiteLLM")
    litellm: str = parser.parse_args().litellm
    folder = Path(tempfile.mkdtemp())
    simulator, proxy = free_port(), free_port()
    config = folder / "config.yaml"
    config.write_text(CONFIG.format(port=simulator, key=KEY))
    weighbridge = [sys.executable, "-m", "weighbridge"]
    with (
        running([*weighbridge, "simulator", "--port", str(simulator), "--rpm", str(RPM)]),
        running([litellm, "--config", str(config), "--port", str(proxy)]),
    ):
        wait_for(f"http://127.0.0.1:{simulator}/simulator/books")
        wait_for(f"http://127.0.0.1:{proxy}/health/liveliness")
        address = f"http://127.0.0.1:{proxy}/v1"
        ended = _run(address, KEY, folder / "right")
        books = json.loads(
            urllib.request.urlopen(f"http://127.0.0.1:{simulator}/simulator/books").read()
        )
        refused = _run(address, "sk-wrong", folder / "wrong")
    if not ended.stdout:
        sys.exit(ended.stderr)
    report = json.loads(ended.stdout)
    held = {
        "60 products completed": report["database"]["completed"] == 60,
        "labelled as simulated": report["simulated"] is True,
        f"never more than {RPM} calls a minute": books["max_per_minute"]["requests"] <= RPM,
        "no call refused by the simulator": books["rate_limited"] == 0,
        "a wrong key stops the run": refused.returncode == 2 and "OPENAI_API_KEY" in refused.stderr,
    }
    for what, is_so in held.items():
        print("holds " if is_so else "FAILS ", what)
    print(json.dumps({**report, "books": books["max_per_minute"]}, indent=1))
    sys.exit(0 if all(held.values()) else 1)


def _run(address: str, key: str, folder: Path) -> subprocess.CompletedProcess[str]:
    environment = {
        **os.environ,
        "OPENAI_BASE_URL": address,
        "OPENAI_API_KEY": key,
        "WEIGHBRIDGE_PACING": "continuous",
        "WEIGHBRIDGE_REQUESTS_PER_MINUTE": str(RPM),
    }
    command = [sys.executable, "-m", "weighbridge", "run", str(CATALOGUE), "--yes", "--json"]
    return subprocess.run(
        [*command, "--data-dir", str(folder), "--out", str(folder / "out")],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


if __name__ == "__main__":
    main()
