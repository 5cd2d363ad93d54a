"""What was found out about a server and its model, so that a new process need not find it out
again.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

    from weighbridge.store.database import Connection

USED_LAST: Final = (
    "SELECT jsonb_build_object('provider', provider, 'model', model, 'learned', learned,"
    " 'notices', notices) FROM provider_facts ORDER BY updated_at DESC LIMIT 1"
)
"""SQL for the facts of the server that was used last, as one JSON object, for display."""


@dataclass(frozen=True, slots=True)
class ProviderFacts:
    """`learned` is what the provider's own `recall` takes; `notices` are for the operator;
    `output_lengths` says how long answers were.
    """

    name: str
    model: str
    learned: Mapping[str, Any] = field(default_factory=dict)
    notices: tuple[str, ...] = ()
    output_lengths: Mapping[str, Any] = field(default_factory=dict)


async def load(connection: Connection, provider: str, model: str) -> ProviderFacts:
    """What is known of this model at this provider; empty facts where it was never used."""
    row = await connection.fetchrow(
        "SELECT learned, notices, output_lengths FROM provider_facts WHERE provider = $1 AND "
        "model = $2",
        provider,
        model,
    )
    if row is None:
        return ProviderFacts(provider, model)
    return ProviderFacts(
        provider, model, row["learned"], tuple(row["notices"]), row["output_lengths"]
    )


async def save(connection: Connection, facts: ProviderFacts) -> None:
    """Store them. The last process to save wins: any of them can find the same out."""
    await connection.execute(
        "INSERT INTO provider_facts (provider, model, learned, notices, output_lengths) VALUES "
        "($1, $2, $3, $4, $5) ON CONFLICT (provider, model) DO UPDATE SET learned = "
        "excluded.learned, notices = excluded.notices, output_lengths = excluded.output_lengths, "
        "updated_at = now()",
        facts.name,
        facts.model,
        dict(facts.learned),
        list(facts.notices),
        dict(facts.output_lengths),
    )


def of_document(document: Mapping[str, Any] | None) -> ProviderFacts | None:
    """The facts in the JSON object of `USED_LAST`; None where there is none."""
    if document is None:
        return None
    return ProviderFacts(
        document["provider"], document["model"], document["learned"], tuple(document["notices"])
    )
