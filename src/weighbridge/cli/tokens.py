"""`weighbridge token add|list|revoke`: the tokens for API and dashboard."""

from __future__ import annotations

from typing import Annotated, Literal

import typer
from rich.table import Table

from weighbridge.cli.console import DataDirOption, JsonOption, out, print_json
from weighbridge.cli.queue import with_database

app = typer.Typer(no_args_is_help=True, help="Tokens for the API and the dashboard.")


def register(main: typer.Typer) -> None:
    """Add the commands."""
    app.command("add")(add)
    app.command("list")(list_all)
    app.command("revoke")(revoke)
    main.add_typer(app, name="token")


NameArgument = Annotated[
    str, typer.Argument(help="Name of the token's owner, as the audit log shows it.")
]


def add(
    name: NameArgument,
    role: Annotated[
        Literal["operator", "read-only"],
        typer.Option(help="operator may change everything; read-only may read everything."),
    ] = "operator",
    data_dir: DataDirOption = None,
    as_json: JsonOption = False,
) -> None:
    """Make a token and show it; it cannot be shown again.

    As soon as there is a token, the server refuses requests without one.
    """
    from weighbridge.service.access.audit import record_command
    from weighbridge.service.access.tokens import Role, add_token
    from weighbridge.store.database import Database

    async def add_and_record(database: Database) -> str:
        token = await add_token(database, name, Role(role))
        await record_command(database, "added a token", name, {"role": role})
        return token

    token = with_database(data_dir, add_and_record)
    if as_json:
        print_json({"name": name, "role": role, "token": token})
        return
    out.print(token, highlight=False)
    out.print(
        f"This is the only time the token of {name} ({role}) is shown. Log in with it, or send it "
        "as 'Authorization: Bearer …'.",
        highlight=False,
    )


def list_all(data_dir: DataDirOption = None, as_json: JsonOption = False) -> None:
    """List the names and roles of all tokens, but not the tokens themselves."""
    from weighbridge.service.access.tokens import list_tokens

    tokens = with_database(data_dir, list_tokens)
    if as_json:
        print_json(
            [
                {
                    "name": token.name,
                    "role": token.role.value,
                    "createdAt": token.created_at,
                    "revokedAt": token.revoked_at,
                }
                for token in tokens
            ]
        )
        return
    table = Table("name", "role", "created", "revoked")
    for token in tokens:
        revoked = f"{token.revoked_at:%Y-%m-%d %H:%M}" if token.revoked_at else ""
        table.add_row(token.name, token.role.value, f"{token.created_at:%Y-%m-%d %H:%M}", revoked)
    out.print(table)


def revoke(name: NameArgument, data_dir: DataDirOption = None) -> None:
    """Make a token invalid, and end every session that was opened with it."""
    from weighbridge.service.access.audit import record_command
    from weighbridge.service.access.tokens import revoke_token
    from weighbridge.store.database import Database

    async def revoke_and_record(database: Database) -> None:
        await revoke_token(database, name)
        await record_command(database, "revoked a token", name)

    with_database(data_dir, revoke_and_record)
    out.print(f"The token {name} is revoked.", highlight=False)
