"""Secrets: named in files, looked up in the environment, never shown.

Also the shapes by which a literal secret is recognised where none belongs. It is not a vault: it keeps a value out of
messages, reprs and pickles, not out of the memory of the process.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

VARIABLE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")

# The dash and the lookbehinds keep words like `task-...` and options like `--hf_overrides` out.
_SHAPES = {
    "a SageMaker key": re.compile(r"sagemaker-api-key-\S"),
    "an API key (sk-...)": re.compile(r"(?<![A-Za-z0-9])sk-[A-Za-z0-9_-]{8,}"),
    "an AWS access key": re.compile(r"(?<![A-Za-z0-9])(?:AKIA|ASIA)[A-Z0-9]{12,}"),
    "a Hugging Face token": re.compile(r"(?<![A-Za-z0-9_])hf_[A-Za-z0-9]{20,}"),
    "a GitHub token": re.compile(r"(?<![A-Za-z0-9])(?:gh[pousr]_|github_pat_)[A-Za-z0-9_]{20,}"),
    "a Google API key": re.compile(r"(?<![A-Za-z0-9])AIza[A-Za-z0-9_-]{30,}"),
    "a signed token (JWT)": re.compile(r"(?<![A-Za-z0-9])eyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{10,}"),
    "a private key": re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY"),
    "an AWS signature": re.compile(r"X-Amz-(?:Signature|Credential|Security-Token)=", re.IGNORECASE),
    # "the Bearer token" is prose: a credential has a digit in it, or is long.
    "a bearer token": re.compile(r"\bbearer\s+(?!\$\{)(?=\S*\d|\S{20})\S{6,}", re.IGNORECASE),
    "a user and password in a URL": re.compile(r"://[^/?#\s@]*@"),
}

# A header or variable with one of these words in its name carries a secret, whatever its value looks like.
_SECRET_WORDS = frozenset(
    {
        "auth", "authorization", "apikey", "cookie", "credential", "credentials", "key", "passwd", "password", "secret",
        "signature", "token",
    }
)  # fmt: skip


class Secret:
    """A text with one `${VARIABLE}` in it, whose value only `reveal()` gives.

    `written` is how the file has it, for example `Bearer ${TOKEN}`; `where` is file and line. Without a value it is
    only the name of a secret, and `reveal()` refuses.
    """

    __slots__ = ("_value", "name", "where", "written")

    name: str
    written: str
    where: str

    def __init__(self, name: str, value: str | None = None, *, written: str = "", where: str = "") -> None:
        self.name = name
        self.written = written or f"${{{name}}}"
        self.where = where
        self._value = value

    @property
    def is_known(self) -> bool:
        """Whether the value has been looked up."""
        return self._value is not None

    @property
    def value(self) -> str:
        """The bare value of the variable: what must appear in no artefact."""
        if self._value is None:
            raise LookupError(f"{self!r} has not been looked up")
        return self._value

    def reveal(self) -> str:
        """The whole text, with the value in its place."""
        return self.written.replace(f"${{{self.name}}}", self.value)

    def from_environment(self, environ: Mapping[str, str]) -> Secret:
        """The same secret with its value. Raises KeyError if the variable is not set."""
        return Secret(self.name, environ[self.name], written=self.written, where=self.where)

    def at(self, where: str) -> Secret:
        """The same secret, written at `where`."""
        return Secret(self.name, self._value, written=self.written, where=where)

    def __repr__(self) -> str:
        return f"Secret({self.written})"

    __str__ = __repr__

    def __format__(self, spec: str) -> str:
        return format(repr(self), spec)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Secret):
            return NotImplemented
        return (self.name, self.written, self._value) == (other.name, other.written, other._value)

    def __hash__(self) -> int:
        return hash((self.name, self.written))

    def __copy__(self) -> Secret:
        return self

    def __deepcopy__(self, memo: object) -> Secret:
        return self

    def __reduce__(self) -> tuple[object, tuple[str, None, str, str]]:
        """Pickled as a name: the value stays in the process that looked it up."""
        return _unpickled, (self.name, None, self.written, self.where)


def _unpickled(name: str, value: None, written: str, where: str) -> Secret:
    return Secret(name, value, written=written, where=where)


def shape(text: str) -> str | None:
    """What kind of secret the text looks like, or None: `an AWS access key`."""
    return next((meaning for meaning, pattern in _SHAPES.items() if pattern.search(text)), None)


def is_secret_name(name: str) -> bool:
    """Whether a header or environment variable of this name carries a secret, to judge by the name."""
    return not _SECRET_WORDS.isdisjoint(re.split(r"[^a-z0-9]+", name.casefold()))


def shown(text: str, *, most: int = 60) -> str:
    """The text as a message may quote it: cut, on one line, without control characters, and never a secret."""
    if shape(text):
        return "`...`"
    one_line = "".join(each if each.isprintable() else repr(each)[1:-1] for each in text[: most + 1])
    return f"`{one_line[:most]}...`" if len(text) > most else f"`{one_line}`"
