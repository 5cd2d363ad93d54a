"""What grouping saves: tokens and requests per product for groups of one to five, steps apart and
together.

    python -m benchmarks.group_size [--products 60] [--json]

The prompts of all three steps over the sample catalogue, one call for each or one for all; counted
by the simulator's tokenizer, answers by its analyst. "charged" is what a provider takes from the
limit at admission: the prompt and the allowance for the answer. Targets: groups of five take at
most 0.45 of the tokens of one by one with a call for each step, and at most 0.30 with one call for
all steps.
"""

from __future__ import annotations

import argparse
import json
from itertools import product
from typing import Any

from benchmarks.harness import MODEL, print_table
from benchmarks.prompts import catalogue_calls

TARGETS = {"apart": 0.45, "together": 0.20}
SIZES = range(1, 6)


def measure(products: int) -> list[dict[str, Any]]:
    """One line for each way to ask and size of group."""
    rows: list[dict[str, Any]] = []
    for steps, size in product(TARGETS, SIZES):
        groups = catalogue_calls(products, size, MODEL, together=steps == "together")
        calls = [call for group in groups for call in group]
        prompt = sum(call.prompt_tokens for call in calls) / products
        output = sum(call.output_tokens for call in calls) / products
        charged = sum(call.prompt_tokens + call.allowance for call in calls) / products
        rows.append(
            {
                "steps": steps,
                "group of": size,
                "requests a product": round(len(calls) / products, 2),
                "prompt tokens": round(prompt),
                "output tokens": round(output),
                "tokens": round(prompt + output),
                "charged tokens": round(charged),
            }
        )
    for row in rows:
        row["of one by one"] = round(row["tokens"] / rows[0]["tokens"], 3)
        row["charged, of one by one"] = round(row["charged tokens"] / rows[0]["charged tokens"], 3)
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--products", type=int, default=300, help="a multiple of 60")
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    arguments = parser.parse_args()
    rows = measure(arguments.products)
    if arguments.json:
        print(json.dumps(rows))
        return
    print_table("tokens a product by group size", rows)
    for row in rows:
        if row["group of"] == max(SIZES):
            target = TARGETS[row["steps"]]
            met = row["of one by one"] <= target
            print(f"Target {row['steps']}, {target} of one by one: {'met' if met else 'MISSED'}")


if __name__ == "__main__":
    main()
