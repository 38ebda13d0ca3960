"""What a requirement is made of: how binding it is, and the sentence of the source that makes it so."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Literal


class Level(StrEnum):
    """How binding a requirement is."""

    MUST = "MUST"
    """Documented by OpenAI, or required by its official client."""
    SHOULD = "SHOULD"
    """Common clients break or degrade without it."""
    MAY = "MAY"
    """Nice to have: nobody breaks without it."""
    NOTE = "NOTE"
    """No verdict: what was observed is recorded, and compared between targets."""


MUST, SHOULD, MAY, NOTE = Level

CHECK_ID = r"[a-z][a-z0-9_]*(\.[a-z0-9]+(-[a-z0-9]+)*)+"
"""The id of a check: the area, and what is required, such as `stream.ends-with-done`."""

Oracle = Literal["contract", "client"]


@dataclass(frozen=True)
class Reference:
    """A place in a source, and the words there that a requirement rests on."""

    source: str
    section: str
    url: str
    quote: str
    oracle: Oracle

    def __str__(self) -> str:
        where = f"{self.source}, {self.section}" if self.section else self.source
        return f'{where}: "{self.quote}"'


@dataclass(frozen=True)
class Source:
    """A document that requirements are taken from.

    `oracle` says whose word it is: the documented contract's, or that of a client which needs the behaviour to work.
    """

    name: str
    url: str
    oracle: Oracle = "contract"

    def at(self, section: str, quote: str, url: str = "") -> Reference:
        """The words `quote` in `section` of this source; `url` where the section has an address of its own."""
        return Reference(self.name, section, url or self.url, quote, self.oracle)


SPEC = Source(
    "OpenAI API specification 2.3.0",
    "https://github.com/openai/openai-openapi/blob/f85dbe2/openapi.yaml",
)
"""Sections are schema members, such as `CreateChatCompletionRequest.stop`; quotes are its descriptions word for word."""

ERRORS = Source("OpenAI guide: error codes", "https://developers.openai.com/docs/guides/error-codes")
STRUCTURED = Source(
    "OpenAI guide: structured outputs",
    "https://developers.openai.com/api/docs/guides/structured-outputs#supported-schemas",
)
OVERVIEW = Source("OpenAI API reference: overview", "https://developers.openai.com/api/reference/overview")
SSE = Source("HTML standard: server-sent events", "https://html.spec.whatwg.org/multipage/server-sent-events.html")
HTTP = Source("RFC 9110: HTTP semantics", "https://www.rfc-editor.org/rfc/rfc9110")
JSON = Source("RFC 8259: JSON", "https://www.rfc-editor.org/rfc/rfc8259")

OPENAI_PYTHON = Source("openai-python 3.54", "https://github.com/openai/openai-python", "client")
OPENAI_NODE = Source("openai-node 7.57", "https://github.com/openai/openai-node", "client")
AI_SDK = Source("Vercel AI SDK, openai-compatible 3.0", "https://github.com/vercel/ai", "client")
LANGCHAIN = Source("langchain-openai 1.7", "https://github.com/langchain-ai/langchain", "client")
STRANDS = Source("strands-agents 1.62", "https://github.com/strands-agents/sdk-python", "client")
SAGEMAKER_GUIDE = Source(
    "Amazon SageMaker AI developer guide: OpenAI-compatible endpoints",
    "https://docs.aws.amazon.com/sagemaker/latest/dg/realtime-endpoints-openai-compatible.html",
)
AWS_SIGNING = Source(
    "AWS API reference: common parameters", "https://docs.aws.amazon.com/STS/latest/APIReference/CommonParameters.html"
)
BEARER_TOKENS = Source("RFC 6750: bearer token usage", "https://www.rfc-editor.org/rfc/rfc6750")
REPORTS = Source("reported by users", "", "client")
"""Not a document but a bug that somebody hit: `url` is the report, `quote` what it lost them."""
