"""Checks the parameters for reasoning effort, service tier and prompt cache as OpenAI documents
them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from weighbridge.simulator.questions.faults import ApiFault

if TYPE_CHECKING:
    from collections.abc import Mapping

    from weighbridge.simulator.models import ModelLimits

_USUAL_TIERS = ("auto", "default")


def check_options(request: Mapping[str, Any], model: str, limits: ModelLimits) -> tuple[str, str]:
    """(reasoning effort, service tier) of a call. Raises ApiFault for what the model refuses."""
    effort = _effort(request, model, limits)
    temperature = request.get("temperature", 1)
    if limits.reasons and effort != "none" and temperature != 1:
        raise _unsupported_value("temperature", f"{temperature} with this model", ["1"])
    if limits.reasons and "max_tokens" in request:
        raise ApiFault(
            400,
            "Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead.",
            code="unsupported_parameter",
            param="max_tokens",
        )
    for name in ("prompt_cache_options",):
        if name in request and not limits.bills_cache_writes:
            raise ApiFault(
                400,
                f"Unsupported parameter: '{name}' is not supported with this model.",
                code="unsupported_parameter",
                param=name,
            )
    return effort, _tier(request, model, limits)


def caches_implicitly(request: Mapping[str, Any]) -> bool:
    """Whether the provider itself sets a cache breakpoint at the end of the last message."""
    options = request.get("prompt_cache_options")
    return not (isinstance(options, dict) and options.get("mode") == "explicit")


def is_marked(message: Any) -> bool:
    """Whether a part of this message carries a breakpoint of the prompt cache."""
    content = message.get("content") if isinstance(message, dict) else None
    return isinstance(content, list) and any(
        isinstance(part, dict) and part.get("prompt_cache_breakpoint") for part in content
    )


def _effort(request: Mapping[str, Any], model: str, limits: ModelLimits) -> str:
    """The effort asked for, else the model's own. Raises ApiFault for one it does not have."""
    asked = request.get("reasoning_effort")
    if asked is None:
        return limits.default_effort
    if not limits.reasons:
        raise ApiFault(
            400,
            f"Unrecognized request argument supplied: reasoning_effort (model {model})",
            param="reasoning_effort",
        )
    if asked not in limits.efforts:
        raise _unsupported_value(
            "reasoning_effort", f"'{asked}' with the '{model}' model", limits.efforts
        )
    return str(asked)


def _tier(request: Mapping[str, Any], model: str, limits: ModelLimits) -> str:
    """The tier asked for, "default" without one; "fast" means "priority".

    Raises:
        ApiFault: the model has no such tier.
    """
    asked = request.get("service_tier") or "auto"
    if asked in _USUAL_TIERS:
        return "default"
    tier = "priority" if asked == "fast" else str(asked)
    if tier not in limits.tiers:
        raise ApiFault(
            400,
            f"Invalid service_tier argument: {asked} is not available for {model}.",
            param="service_tier",
        )
    return tier


def _unsupported_value(name: str, what: str, allowed: Any) -> ApiFault:
    """The 400 for a parameter's value; `what` describes the value, `allowed` are the right ones."""
    listed = ", ".join(f"'{value}'" for value in allowed)
    return ApiFault(
        400,
        f"Unsupported value: '{name}' does not support {what}. Supported values are: {listed}.",
        code="unsupported_value",
        param=name,
    )
