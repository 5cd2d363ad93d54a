"""The bill route: the lines, processes and parts of one product as terms that add up to its
emissions.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from weighbridge.carbon.components import count_components
from weighbridge.carbon.mass_flow import chains
from weighbridge.carbon.terms import material_term, process_terms

if TYPE_CHECKING:
    from weighbridge.carbon.components import Components
    from weighbridge.carbon.factors import FactorTable
    from weighbridge.carbon.mass_flow import Chain
    from weighbridge.carbon.terms import Place, Term
    from weighbridge.domain.answers import BillOfMaterials, ManufacturingProcesses


class BillResult(NamedTuple):
    """The emissions of a bill as terms to be added up, with what the notes and the class route need
    to know of it.
    """

    terms: list[Term]
    chains: list[Chain]
    line_chains: list[Chain]  # the chain of each line, in their order
    components: Components
    skipped: list[str]  # notes on processes that were left out


def bill_result(
    subcategory: str,
    bill: BillOfMaterials,
    processes: ManufacturingProcesses,
    factors: FactorTable,
    place: Place,
) -> BillResult:
    """The terms of everything in the bill. Raises CalculationError as `chains` does."""
    all_chains, line_chains, skipped = chains(bill, processes, factors)
    components = count_components(subcategory, bill, factors, place)
    terms = [
        material_term(line, chain, place)
        for number, (line, chain) in enumerate(zip(bill.lines, line_chains, strict=True))
        if number not in components.replaced_lines
    ]
    for chain in all_chains:
        for stage in chain.stages:
            terms.extend(process_terms(stage, chain, place))
    terms.extend(components.terms)
    return BillResult(terms, all_chains, line_chains, components, skipped)
