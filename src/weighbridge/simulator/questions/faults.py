"""An error of the simulated API, in OpenAI's form:
https://developers.openai.com/api/docs/guides/error-codes
"""

from __future__ import annotations


class ApiFault(Exception):
    """An error response of the API: its status and its `body` with the `error` object."""

    def __init__(
        self,
        status: int,
        message: str,
        *,
        kind: str = "invalid_request_error",
        code: str | None = None,
        param: str | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.body = {"error": {"message": message, "type": kind, "param": param, "code": code}}
