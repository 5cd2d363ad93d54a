"""Reads all settings from the environment and from `.env`; no other module does.

The settings of the queue are stored in the database when it is created; after that the stored ones
apply.
"""

from __future__ import annotations

import base64
import binascii
import ipaddress
import os
import shlex
from pathlib import Path
from typing import Any, Final, Literal
from urllib.parse import urlsplit

import platformdirs
from dotenv import dotenv_values
from pydantic import Field, SecretStr, ValidationError, ValidationInfo, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from weighbridge.domain.budgets import DAY, MONTH
from weighbridge.domain.products import FieldLimits
from weighbridge.errors import SettingsError
from weighbridge.plain_text import without_jargon

_LIMITS: Final = FieldLimits()
SHORTEST_TOKEN: Final = 16
"""The fewest characters of an API token: enough that it cannot be guessed."""
SHORTEST_SECRET: Final = 24
LONGEST_SECRET: Final = 64
"""The most bytes of a signing secret, as `SHORTEST_SECRET` are the fewest, by the specification of
Standard Webhooks.
"""
DEFAULT_MODEL = "gpt-6-luna"
PREFIX: Final = "WEIGHBRIDGE_"
KEY: Final = "OPENAI_API_KEY"
ADDRESS: Final = "OPENAI_BASE_URL"


class Settings(BaseSettings):
    """All settings. Environment variable: WEIGHBRIDGE_ plus the field's name."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX,
        env_file=".env",
        env_file_encoding="utf-8",
        env_ignore_empty=True,
        extra="ignore",
        populate_by_name=True,
    )

    provider: str = Field(
        default="openai",
        min_length=1,
        description="Name of the provider; the built-in openai works with every server that has the OpenAI API.",
    )
    factor_source: str = Field(
        default="bundled", min_length=1, description="Where emission factors come from."
    )
    factors: Path | None = Field(
        default=None,
        description="CSV file with your own emission factors, which override the bundled ones.",
    )
    openai_api_key: SecretStr | None = Field(default=None, validation_alias="OPENAI_API_KEY")
    openai_base_url: str | None = Field(default=None, validation_alias="OPENAI_BASE_URL")
    model: str = Field(default=DEFAULT_MODEL, min_length=1)
    reasoning_effort: Literal["none", "minimal", "low", "medium", "high", "xhigh", "max"] | None = (
        Field(
            default=None,
            description="How much the model reasons before it answers; by default as little as the model allows.",
        )
    )
    service_tier: Literal["default", "flex", "flex-or-default", "priority"] = "default"
    call_timeout_s: float | None = Field(
        default=None,
        ge=1,
        le=86_400,
        description="Time limit of one call in seconds; the default depends on the service tier, on whether the provider is local, and on the length of the answer.",
    )
    structured_outputs: Literal["auto", "strict", "schema", "object", "text"] = "auto"
    prices: Path | None = Field(default=None, description="CSV file with your own prices.")
    company_name: str = Field(
        default="", description="Name of your company, as exported PACT files state it."
    )
    company_domain: str = Field(
        default="",
        description="Domain name of your company, used in the identifiers of its products in PACT files.",
    )
    company_ids: str = Field(
        default="", description="URNs of your company in PACT files, comma-separated."
    )
    export_names: bool = Field(
        default=False,
        description="Exported files name who corrected a value, and why; otherwise they say a reviewer.",
    )
    database_url: SecretStr | None = None
    data_dir: Path = Field(default_factory=lambda: _user_data_dir())
    requests_per_minute: int = Field(default=500, ge=1, le=10_000_000)
    tokens_per_minute: int = Field(default=450_000, ge=1, le=100_000_000_000)
    requests_per_day: int | None = Field(default=None, ge=1, le=10_000_000_000)
    tokens_per_day: int | None = Field(default=None, ge=1, le=100_000_000_000_000)
    budget_per_day: float | None = Field(
        default=None, ge=0, le=1e9, description="Most to spend in a day (UTC), in USD."
    )
    budget_per_month: float | None = Field(
        default=None, ge=0, le=1e9, description="Most to spend in a month (UTC), in USD."
    )
    batch_size: int = Field(default=500, ge=1, le=1000)
    batch_delay_ms: int = Field(default=60_000, ge=30_000, le=86_400_000)
    max_concurrent_requests: int | None = Field(default=None, ge=1, le=20)
    pacing: Literal["batch", "continuous"] = "batch"
    ask_together: bool = Field(default=False, description="One call asks all three questions.")
    batch_enqueued_tokens: int | None = Field(
        default=None,
        ge=1,
        description="Most prompt tokens that may wait in batches at the provider at one time.",
    )
    batch_tries: int = Field(
        default=2,
        ge=0,
        le=100,
        description="Number of batches that may end without a reply about a product; then it is asked about online.",
    )
    variants: bool = Field(
        default=True,
        description="Ask the model only once about products that differ only in size, colour, count or weight.",
    )
    reuse_answers: bool = Field(
        default=True,
        description="Reuse stored answers for products with the same text, even if their code is new or the product that was asked about is deleted.",
    )
    fetch_images: bool = Field(
        default=False,
        description="Weighbridge downloads pictures that are given as URLs, instead of the provider.",
    )
    missing_picture: Literal["ask", "fail"] = Field(
        default="ask",
        description="What to do with a product whose picture cannot be fetched: process it from its text (ask), or fail it (fail).",
    )
    store_at_provider: bool = Field(
        default=False,
        description="Ask the provider to store replies, so that they can be fetched after a crash.",
    )
    retention_days: int = Field(
        default=90,
        ge=0,
        le=36_500,
        description="Days that calls, rejected rows and notes are kept; 0: forever. Totals of calls are always kept.",
    )
    webhook_url: SecretStr | None = Field(
        default=None,
        description="Address to notify when work is finished or paused, or a budget is used up.",
    )
    webhook_secret: SecretStr | None = Field(
        default=None,
        validate_default=True,
        description="Secret that signs the messages to the webhook.",
    )
    notify_command: str | None = Field(
        default=None,
        description="Program that gets the messages of the webhook on standard input; run without a shell.",
    )
    api_token: SecretStr | None = None
    trusted_proxies: str = Field(
        default="",
        description="Addresses or networks of reverse proxies, comma-separated, whose headers X-Forwarded-For, -Proto and -Host are trusted.",
    )
    cors_origins: str = Field(
        default="",
        description="Origins of other sites whose pages may use the API (CORS), such as https://example.com; comma-separated.",
    )
    max_upload_bytes: int = Field(default=1_000_000_000, ge=1)
    max_import_rows: int = Field(default=5_000_000, ge=1)
    max_code_characters: int = Field(default=_LIMITS.code, ge=1, le=600)
    max_name_characters: int = Field(default=_LIMITS.name, ge=1)
    max_description_characters: int = Field(default=_LIMITS.description, ge=1)
    max_image_url_characters: int = Field(default=_LIMITS.image_url, ge=1)
    log_format: Literal["console", "json"] = "console"
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"

    @field_validator("log_level", mode="before")
    @classmethod
    def _normalise_log_level(cls, value: object) -> object:
        """The level in the spelling of `logging`; `info` and `WARN` are accepted too."""
        name = str(value).upper()
        known = {name: name for name in ("DEBUG", "INFO", "WARNING", "ERROR")} | {"WARN": "WARNING"}
        return known.get(name, value)

    @field_validator("api_token")
    @classmethod
    def _check_api_token(cls, token: SecretStr | None) -> SecretStr | None:
        """The token without spaces around it; refuses one that a header cannot hold, or that is too
        short.
        """
        text = token.get_secret_value().strip() if token else ""
        if token is not None and not (
            text and text.isascii() and text.isprintable() and " " not in text
        ):
            raise ValueError("it must be printable ASCII without spaces")
        if token is not None and len(text) < SHORTEST_TOKEN:
            raise ValueError(
                f"it has {len(text)} characters and needs at least {SHORTEST_TOKEN}. To make one, run: "
                'python -c "import secrets; print(secrets.token_urlsafe(24))"'
            )
        return SecretStr(text) if token else None

    @field_validator("trusted_proxies")
    @classmethod
    def _check_networks(cls, text: str) -> str:
        """The text unchanged; refuses one with a part that is no IP address or network."""
        for part in filter(None, (part.strip() for part in text.split(","))):
            ipaddress.ip_network(part, strict=False)
        return text

    @field_validator("webhook_url")
    @classmethod
    def _check_webhook_url(cls, url: SecretStr | None) -> SecretStr | None:
        """The URL without spaces around it; refuses one that is not http:// or https://."""
        parts = urlsplit(url.get_secret_value().strip()) if url else None
        if parts is not None and (parts.scheme not in ("http", "https") or not parts.hostname):
            raise ValueError("it must be an address that begins with https:// or http://")
        return SecretStr(parts.geturl()) if parts else None

    @field_validator("webhook_secret")
    @classmethod
    def _check_webhook_secret(
        cls, secret: SecretStr | None, info: ValidationInfo
    ) -> SecretStr | None:
        """The secret; refuses one that is not `whsec_` and 24 to 64 bytes in base64, as Standard
        Webhooks requires. None is refused if there is a webhook URL.
        """
        if secret is None and not info.data.get("webhook_url"):
            return None
        text = secret.get_secret_value().strip() if secret else ""
        try:
            length = len(base64.b64decode(text.removeprefix("whsec_"), validate=True))
        except (binascii.Error, ValueError):
            length = 0
        if not text.startswith("whsec_") or not SHORTEST_SECRET <= length <= LONGEST_SECRET:
            raise ValueError(
                "it must be whsec_ followed by 24 to 64 random bytes in base64. "
                'To make one, run: python -c "import base64, secrets; '
                "print('whsec_' + base64.b64encode(secrets.token_bytes(32)).decode())\""
            )
        return SecretStr(text)

    @field_validator("notify_command")
    @classmethod
    def _check_notify_command(cls, command: str | None) -> str | None:
        if command is not None and not shlex.split(command):  # which raises ValueError itself, too
            raise ValueError("it names no program")
        return command

    @property
    def budgets(self) -> dict[str, float]:
        """The configured caps on spending in USD, by period (day or month)."""
        caps = {DAY: self.budget_per_day, MONTH: self.budget_per_month}
        return {period: cap for period, cap in caps.items() if cap is not None}

    @property
    def proxy_networks(self) -> list[ipaddress.IPv4Network | ipaddress.IPv6Network]:
        """The networks of the reverse proxies whose forwarded headers are trusted."""
        parts = (part.strip() for part in self.trusted_proxies.split(","))
        return [ipaddress.ip_network(part, strict=False) for part in parts if part]

    @property
    def field_limits(self) -> FieldLimits:
        """The greatest lengths of a product's text fields."""
        return FieldLimits(
            code=self.max_code_characters,
            name=self.max_name_characters,
            description=self.max_description_characters,
            image_url=self.max_image_url_characters,
        )

    @property
    def limits_are_explicit(self) -> bool:
        """Whether the user has set requests or tokens per minute."""
        return bool({"requests_per_minute", "tokens_per_minute"} & self.model_fields_set)


_SECRETS: Final = frozenset(
    {
        "openai_api_key",
        "OPENAI_API_KEY",
        "database_url",
        "api_token",
        "webhook_url",
        "webhook_secret",
    }
)
"""Names of the settings whose values are not shown in messages."""


def _user_data_dir() -> Path:
    """The default data directory, in the home directory of the user."""
    try:
        return platformdirs.user_data_path("weighbridge", appauthor=False)
    except RuntimeError:  # no HOME, and a user without a name: reported when the folder is needed
        return Path("~/weighbridge")


def load_settings(**overrides: Any) -> Settings:
    """Read the settings from the environment and `.env`. `overrides` (from command-line options)
    replace them, except where they are None.

    Raises:
        SettingsError: a value is invalid; the message names the variable, its value and what is
            allowed.
    """
    given = {name: value for name, value in overrides.items() if value is not None}
    try:
        settings = Settings(**given)
    except ValidationError as error:
        raise SettingsError("; ".join(_explain(problem) for problem in error.errors())) from None
    if "notify_command" not in given:
        _refuse_command_of_env_file(settings)
    return settings


def _refuse_command_of_env_file(settings: Settings) -> None:
    """Raise SettingsError if only `.env` sets the notify command: anybody may have written that
    file, and the command is run.
    """
    name = f"{PREFIX}NOTIFY_COMMAND"
    if settings.notify_command and not any(os.environ.get(n) for n in (name, name.lower())):
        raise SettingsError(
            f"{name} is set in the .env of this folder. It names a program to be run, so it is "
            "taken from the environment alone: remove it from .env and export it."
        )


def environment_for_programs() -> dict[str, str]:
    """The environment for programs that we start: without our keys, tokens and addresses."""
    ours = (PREFIX, "OPENAI_")
    return {n: value for n, value in os.environ.items() if not n.upper().startswith(ours)}


def unknown_names() -> list[str]:
    """Variables in the environment and in `.env` that begin with WEIGHBRIDGE_ but are no settings:
    mostly misspelt ones.
    """
    known = {f"{PREFIX}{name.upper()}" for name in Settings.model_fields}
    found = {name.upper() for name in (*os.environ, *_env_file())}
    return sorted(name for name in found if name.startswith(PREFIX) and name not in known)


def check_key_and_address() -> None:
    """Check that a key from the environment is not sent to an address that only `.env` sets:
    anybody may have written that file.

    Raises:
        SettingsError: the address comes from `.env`, the key from the environment.
    """
    names_address = bool(_env_file().get(ADDRESS)) and not os.environ.get(ADDRESS)
    if names_address and os.environ.get(KEY):
        raise SettingsError(
            f"{ADDRESS} is set in the .env of this folder, and {KEY} in the environment. A key is "
            "never sent to an address that only a .env names. Set both in the environment, or "
            f"both in .env (and unset {KEY} in the environment)."
        )


def _env_file() -> dict[str, str | None]:
    """The variables in the `.env` of the current folder; empty if there is none."""
    return dict(dotenv_values(".env")) if Path(".env").is_file() else {}


def _explain(problem: Any) -> str:
    """A problem that Pydantic found, in words: the variable, its value unless secret, and what is
    wrong with it.
    """
    name = str(problem["loc"][0])
    variable = name if name.startswith("OPENAI") else f"{PREFIX}{name.upper()}"
    said = without_jargon(str(problem["msg"]))
    if name in _SECRETS:
        return f"{variable} cannot be used: {said}"
    return f"{variable} is {problem['input']!r}: {said}"
