"""Secrets: named in files, looked up in the environment, never shown.

Also the shapes by which a literal secret is recognised where none belongs. It is not a vault: it keeps a value out of
messages, reprs and pickles, not out of the memory of the process.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

VARIABLE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")


@dataclass(frozen=True)
class Shape:
    """What secrets of one kind look like."""

    meaning: str
    parts: tuple[str, ...]
    """Texts of which each such secret has one in it: looking for them first takes a tenth of the time that `pattern` takes."""
    pattern: str
    """Matches the whole secret, so that it can be masked."""


# A word begins here, also after an escape of JSON such as \n: `task-...` and `--hf_overrides` are no keys.
_WORD = r"(?:(?<![A-Za-z0-9])|(?<=\\[bfnrt]))"
_BASE64 = "[A-Za-z0-9+/=_-]"
_TOKEN = "[A-Za-z0-9._~+/-]"  # noqa: S105  (characters of bearer tokens)

SHAPES = (
    Shape("an Amazon API key", ("-api-key-",), rf"(?:sagemaker|bedrock)-api-key-{_BASE64}+"),
    # What every such key begins with, without its prefix: `sagemaker.amazonaws.com/` and `bedrock.amazonaws.com/` in base64.
    Shape("an Amazon API key", ("c2FnZW1ha2VyLm",), rf"c2FnZW1ha2VyLmFtYXpvbmF3cy5jb20v{_BASE64}{{16,}}"),
    Shape("an Amazon API key", ("YmVkcm9jay5hbW",), rf"YmVkcm9jay5hbWF6b25hd3MuY29tL{_BASE64}{{16,}}"),
    Shape("an AWS access key", ("AKIA", "ASIA"), rf"{_WORD}(?:AKIA|ASIA)[A-Z0-9]{{12,}}"),
    Shape(
        "an AWS signature",
        ("-Amz-", "-amz-", "-AMZ-"),
        r"(?i:X-Amz-(?:Signature|Credential|Security-Token)(?:=|%3D)[a-z0-9%+/=_-]+)",
    ),
    Shape("an API key (sk-...)", ("sk-",), rf"{_WORD}sk-[A-Za-z0-9_-]{{8,}}"),
    Shape("an API key", ("gsk_", "nvapi-", "xai-", "pplx-"), rf"{_WORD}(?:gsk_|nvapi-|xai-|pplx-)[A-Za-z0-9_-]{{20,}}"),
    Shape("a Google API key", ("AIza",), rf"{_WORD}AIza[A-Za-z0-9_-]{{30,}}"),
    # Common annotated security keys, https://github.com/microsoft/security-utilities. Older ones are 32 hex digits.
    Shape("an Azure key", ("JQQJ9",), r"[A-Za-z0-9]{52}JQQJ9[9DH][A-Za-z0-9]{26,}={0,2}"),
    Shape("an Azure key", ("AccountKey=", "AccessKey="), r"(?:Account|SharedAccess)Key=[A-Za-z0-9+/]{40,}={0,2}"),
    Shape("a Hugging Face token", ("hf_",), r"(?:(?<![A-Za-z0-9_])|(?<=\\[bfnrt]))hf_[A-Za-z0-9]{20,}"),
    Shape(
        "a GitHub token",
        ("ghp_", "gho_", "ghu_", "ghs_", "ghr_", "github_pat_"),
        rf"{_WORD}(?:gh[pousr]_|github_pat_)[A-Za-z0-9_]{{20,}}",
    ),
    Shape("a GitLab token", ("glpat-",), rf"{_WORD}glpat-[A-Za-z0-9_-]{{20,}}"),
    Shape("a Slack token", ("xox", "xapp-"), rf"{_WORD}(?:xox[abeoprs]|xapp)-[A-Za-z0-9-]{{10,}}"),
    Shape(
        "a signed token (JWT)", ("eyJ",), rf"{_WORD}eyJ[A-Za-z0-9_-]{{10,}}\.[A-Za-z0-9_-]{{10,}}(?:\.[A-Za-z0-9_-]+)?"
    ),
    Shape(
        "a private key",
        ("PRIVATE KEY",),
        r"-----BEGIN [A-Z ]*PRIVATE KEY(?:-----(?:[A-Za-z0-9+/=\s:,]|-(?!----)|\\+[nr])*(?:-----END [A-Z ]*PRIVATE KEY-----)?)?",
    ),
    # "the Bearer token" is prose: a credential has a digit in it, or is long.
    # Probes of ours have one letter again and again, or our name.
    Shape(
        "a bearer token",
        ("earer", "EARER"),
        rf"{_WORD}(?i:bearer)\s+(?!conformance-|([A-Za-z])\1{{9}})(?={_TOKEN}*[0-9]|{_TOKEN}{{20}}){_TOKEN}{{6,}}=*",
    ),
    Shape("a user and password in a URL", ("://",), r"""(?<=://)[^/?#\s@"'<>\\]+(?=@)"""),
)
"""What keys look like, whoever's they are: refused in targets.yaml, masked in recordings."""

_COMPILED = tuple((one.meaning, re.compile(one.pattern)) for one in SHAPES)

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
    return next((meaning for meaning, pattern in _COMPILED if pattern.search(text)), None)


def is_secret_name(name: str) -> bool:
    """Whether a header or environment variable of this name carries a secret, to judge by the name."""
    return not _SECRET_WORDS.isdisjoint(re.split(r"[^a-z0-9]+", name.casefold()))


def shown(text: str, *, most: int = 60) -> str:
    """The text as a message may quote it: cut, on one line, without control characters, and never a secret."""
    if shape(text):
        return "`...`"
    one_line = "".join(each if each.isprintable() else repr(each)[1:-1] for each in text[: most + 1])
    return f"`{one_line[:most]}...`" if len(text) > most else f"`{one_line}`"
