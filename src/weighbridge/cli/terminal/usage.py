"""Says what is wrong with a command line in plain words.

The parser's own messages leave two things out: that a code may begin with a hyphen, as in `explain
-7`, and what the words of the library that checks values ("Value error, …") mean to a reader.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import typer
from typer.core import TyperGroup
from typing_extensions import override

from weighbridge.plain_text import visible, without_jargon

if TYPE_CHECKING:
    from collections.abc import Sequence

UsageError: Final[type[Any]] = typer.BadParameter.__mro__[1]
"""What the parser raises for a wrong command line; typer gives it no public name."""
CODES: Final = frozenset({"code", "codes"})
"""The names of arguments that are codes of products."""
_GIVEN: Final = "weighbridge.given"


class PlainUsage(TyperGroup):
    """All commands, with messages on their use in plain words."""

    @override
    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """As the parser does; what was given is kept for messages."""
        ctx.meta[_GIVEN] = list(args)
        return super().parse_args(ctx, args)

    @override
    def invoke(self, ctx: Any) -> Any:
        """Run the command. Raises the parser's error with a plain message."""
        try:
            return super().invoke(ctx)
        except UsageError as error:
            error.message = without_jargon(error.message)
            option = getattr(error, "option_name", "")
            if option and error.ctx is not None and _takes_codes(error.ctx.command):
                error.message += _behind_hyphens(option, error.ctx, ctx.meta[_GIVEN])
            raise


def _takes_codes(command: Any) -> bool:
    """Whether a command has an argument for codes of products."""
    return any(one.param_type_name == "argument" and one.name in CODES for one in command.params)


def _behind_hyphens(option: str, ctx: Any, given: Sequence[str]) -> str:
    """How to write a code that was taken for an option."""
    code = visible(next((one for one in given if one.startswith(option)), option))
    others = any(one not in (code, *ctx.command_path.split()) for one in given)
    between = "… " if others else ""
    return (
        f". If {code} is the code of a product, put it at the end, behind two hyphens: "
        f"{ctx.command_path} {between}-- {code}"
    )
