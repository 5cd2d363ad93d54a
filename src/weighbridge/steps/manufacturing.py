"""Step 3: how is it made? Processes from the closed list, each applied to a material of the product's own bill.

The model sees the bill with each material's family, and which of them are `"formed"`: their factor covers
shaping, and nothing may be added. What it adds all the same is judged so:

- a material that is not in the bill: refused. The answer is about something else.
- a process on a formed material: dropped, and the rest kept. It is the known trap, the prompt warns of it, and
  leaving the use out is the right answer.
- a process that is not for the material's family: dropped too, because no factor stands behind the pair. If
  nothing is left then, the answer is an empty list of low confidence. Refusing it would help nobody: for some
  pairs (lay-up of glass fibre) there is no better answer in the list, and the product would fail.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from weighbridge.domain.answers import (
    BillOfMaterials,
    Confidence,
    ManufacturingProcesses,
    ProcessTerm,
    ProcessUse,
    StepName,
    Subject,
    Vocabulary,
)
from weighbridge.domain.calls import CallReply, CallRequest
from weighbridge.errors import ImplausibleAnswer
from weighbridge.steps.fields import choice, confidence, parts, shown
from weighbridge.steps.questions import (
    SHARED_RULES,
    array_schema,
    enum_schema,
    object_schema,
    product_row,
    products_content,
    reply_schema,
    step_version,
)
from weighbridge.steps.replies import Entry, accept_entries

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from weighbridge.steps.base import Accepted, Step

RULES_NUMBER: Final = 1
"""Raise it when the rules below change what they accept or drop."""

MAX_USES: Final = 20

INSTRUCTIONS: Final = f"""\
You list manufacturing processes for carbon footprints: what is done to the materials of a product to turn them into it. "category" says what the product is, "materials" what it is made of: each with its component, its mass in one unit and its family.

Rules
- A use is a "process" and the "material" it is applied to, copied from the product's own "materials". Each pair once, at most {MAX_USES} uses.
- Start from the state that the material's key names, and end with the finished part. A fibre is spun, then woven or knitted, then dyed; a resin is moulded or extruded; a sheet is bent or drawn. What the key names is done and not done again: a dyed knit is neither knitted nor dyed, plywood is not pressed, cold-rolled steel not rolled, tanned leather not tanned.
- A material with "formed": true already includes its shaping. Never add a process to it.
- A process is only for materials of the families before it in the table below. If the table has nothing that fits a material, give it nothing: an empty list can be the right answer.
- One shaping process for a material is usual. Give a second one only when it is done to the same part one after the other; never list alternatives. Add a surface treatment (dyeing, anodising, galvanising, tempering) only if the data says so or it is always done.

"""

TABLE_HEADING: Final = "Families and their processes\n"


class ManufacturingStep:
    """Asks how the materials of each product are worked."""

    def __init__(self, vocabulary: Vocabulary, needed: Sequence[Step] = ()) -> None:
        self._materials = vocabulary.materials
        self._processes = vocabulary.processes
        table = process_table(vocabulary.processes.values())
        self._instructions = f"{INSTRUCTIONS}{TABLE_HEADING}{table}\n\n{SHARED_RULES}"
        use = {"process": enum_schema(vocabulary.processes), "material": {"type": "string"}}
        self._schema = reply_schema(
            {
                "code": {"type": "string"},
                "uses": array_schema(object_schema(use)),
                "confidence": enum_schema(Confidence),
            }
        )
        self.name = StepName.MANUFACTURING
        self.needs = tuple(step.name for step in needed)
        # Families and formed marks reach the model with the products, so the hash has to hear of them here.
        shown_with_products = [
            f"{term.key} {term.family} {term.includes_forming}"
            for term in vocabulary.materials.values()
        ]
        self.version = step_version(
            RULES_NUMBER,
            self._instructions,
            self._schema,
            [*(step.version for step in needed), *shown_with_products],
        )
        self.output_tokens_per_product = 220

    def request(
        self, group: Sequence[Subject], max_output_tokens: int, image_url: str | None = None
    ) -> CallRequest:
        """The question about this group. Every subject has its bill of materials."""
        return CallRequest(
            instructions=self._instructions,
            content=products_content(
                {**product_row(subject), "materials": self._material_rows(subject)}
                for subject in group
            ),
            schema_name=self.name.value,
            schema=self._schema,
            max_output_tokens=max_output_tokens,
            image_url=image_url,
        )

    def accept(self, reply: CallReply, group: Sequence[Subject]) -> Accepted:
        """Keep the processes that can be, as the module's docstring lists."""
        return accept_entries(reply, group, self._read)

    def _material_rows(self, subject: Subject) -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = []
        for line in bill_of(subject).lines:
            row: dict[str, Any] = {
                "material": line.material,
                "component": line.component,
                "mass_kg": float(f"{line.mass_kg:.3g}"),
            }
            term = self._materials.get(line.material)
            if term is not None:
                row["family"] = term.family
                if term.includes_forming:
                    row["formed"] = True
            rows.append(row)
        return rows

    def _read(self, subject: Subject, entry: Entry) -> ManufacturingProcesses:
        bill = {line.material for line in bill_of(subject).lines}
        stated = dict.fromkeys(self._use(part, bill) for part in parts(entry, "uses"))
        allowed = [use for use in stated if not self._is_formed(use)]
        kept = tuple(use for use in allowed if self._fits(use))
        if len(kept) > MAX_USES:
            raise ImplausibleAnswer(f"{len(kept)} processes were given; at most {MAX_USES} can be.")
        sureness = confidence(entry)
        nothing_left = bool(allowed) and not kept
        return ManufacturingProcesses(kept, Confidence.LOW if nothing_left else sureness)

    def _use(self, part: Entry, bill: set[str]) -> ProcessUse:
        process = choice(part, "process", self._processes)
        material = part.get("material")
        if not isinstance(material, str) or material not in bill:
            raise ImplausibleAnswer(
                f"{process} was given to {shown(material)}, which is not in its bill of materials."
            )
        return ProcessUse(process, material)

    def _is_formed(self, use: ProcessUse) -> bool:
        term = self._materials.get(use.material)
        return term is not None and term.includes_forming

    def _fits(self, use: ProcessUse) -> bool:
        term = self._materials.get(use.material)
        return term is not None and term.family in self._processes[use.process].families


def process_table(processes: Iterable[ProcessTerm]) -> str:
    """One line for each set of families: "steel, stainless: steel_forging, …"."""
    rows: dict[str, list[str]] = {}
    for process in processes:
        rows.setdefault(", ".join(sorted(process.families)), []).append(process.key)
    return "\n".join(f"- {families}: {', '.join(keys)}" for families, keys in rows.items())


def bill_of(subject: Subject) -> BillOfMaterials:
    """The bill that this step needs. Asking without one is a mistake of the caller."""
    bill = subject.answers.get(StepName.BILL_OF_MATERIALS)
    if not isinstance(bill, BillOfMaterials):
        raise TypeError(f"{subject.product.code} has no bill of materials yet.")
    return bill
