"""What others wrote (a webhook, a registry, the API server) made fit to be kept: short, without secrets.

Everything of that kind passes here before it enters a status, an Event, a log or the database. A secret is
known by its form only. Text is cut before it is searched, and no pattern looks far back over what it has
passed, so that nobody can make this slow.
"""

from __future__ import annotations

import re

MAX_TEXT_CHARS = 10_000
MAX_MESSAGE_CHARS = 300
MAX_SEARCHED_CHARS = 1000
"""How much of a message is searched of which 300 characters stay: a tenant may write as many as he likes."""

REDACTED = "[redacted]"

_KEY = r"(?:api|access|secret|private|account)[_-]?key"
_LOUD = rf"(?:password|passwd|passphrase|token|{_KEY})"
_WORD = rf"(?:{_LOUD}|secret|credential|signature)"

_VALUE = r"(?:\"[^\"]*\"|'[^']*'|[^\s&;,\"'<>()\[\]{}]+)"
_KEY_END = r"-----END [A-Z ]{0,40}PRIVATE KEY(?: BLOCK)?-----"

_PATTERNS = {
    rf"()-----BEGIN [A-Z ]{{0,40}}PRIVATE KEY(?: BLOCK)?-----.*?(?:{_KEY_END}|\Z)": "-----begin",
    # user and password of a URL; the digest of an image stays
    r"(://)[^\s/?#\"'<>]{1,500}(?=@(?!sha\d+:))": "://",
    # JSON, and JSON in JSON
    rf"((?:{_WORD}|\"auth)\\?\"\s*:\s*\\?\")[^\"\\]+": '"',
    rf"({_WORD}\\?\"\s*:\s*)\d{{4,}}": '"',
    # a dictionary of Python's
    rf"({_WORD}'\s*:\s*b?')[^'\n]+": "'",
    r"(authorization\W{1,5}(?:basic|bearer|digest|negotiate|token)\s+)[^\s,;\"'\\]+": "authorization",
    r"\b(bearer\s+)(?=\S{0,40}\d)[\w.~+/=-]{12,}": "bearer",
    rf"((?:{_WORD}|\bpass)=)(?!\[redacted\]){_VALUE}": "=",
    rf"({_LOUD}[ \t]{{0,4}}=[ \t]{{0,4}})(?![=\s]|\[redacted\]){_VALUE}": "=",
    rf"(--(?:[\w-]{{1,20}}-)?{_LOUD}[ \t]{{1,4}})(?!\[redacted\]|-)\S+": "--",
    r"([?&](?:sig|key|auth)=)(?!\[redacted\])[^\s&\"'<>]+": "=",
    # a digit tells a secret from the words of a sentence
    rf"({_LOUD}\s?:\s?)(?!\w{{1,20}}://)(?=[^\s,;\"']{{0,100}}\d)[^\s,;\"']{{4,}}": ":",
    rf"({_LOUD}\s?:\s?)(?!.\[redacted\])(?:'[^'\n]{{4,500}}'|\"[^\"\n]{{4,500}}\")": ":",
    r"(cookie\"?\s?:\s?\"?)(?=[^\s=]{1,100}=)[^\n\r\"]+": "cookie",
    r"(hooks\.slack\.com/\w+/)[^\s\"'<>]+": "hooks.slack",
    # a JWT
    r"()(?<![\w-])eyJ[\w-]{5,}\.[\w-]{5,}(?:\.[\w-]*)?": "eyj",
    r"()\bA[KS]IA[A-Z\d]{16}\b": "ia",
    r"()\b(?:gh[pousr]_|github_pat_)\w{20,}": "_",
    r"()\bglpat-[\w-]{16,}": "glpat-",
    r"()\bxox[abeoprs]-[\w-]{10,}": "xox",
    r"()\b[rs]k_live_\w{10,}": "k_live_",
}
"""What secrets look like, each with what must be there for it: most texts have none, and looking is dear."""

_SECRETS = tuple(
    (re.compile(pattern, re.IGNORECASE | re.DOTALL | re.ASCII), hint) for pattern, hint in _PATTERNS.items()
)

_END_OF_KEY = re.compile(_KEY_END, re.IGNORECASE | re.ASCII)


def redact(text: str, longest: int = MAX_TEXT_CHARS) -> str:
    """Take out what looks like a secret; of a long text only the beginning is kept."""
    text = text[:longest]
    lower = text.lower()
    for secret, hint in _SECRETS:
        if hint in lower:
            text = secret.sub(rf"\1{REDACTED}", text)
    return text


def redact_end(text: str) -> str:
    """Take out what looks like a secret of the end of a text, whose length its reader has limited.

    A private key whose beginning was not read goes too, with all that is before its end.
    """
    text = redact(text, longest=len(text))
    cut_key = _END_OF_KEY.search(text)
    return REDACTED + text[cut_key.end() :] if cut_key else text


def clean_message(text: str) -> str:
    """Make somebody else's message fit for a status: redacted, then shortened."""
    return trim_message(redact(text, MAX_SEARCHED_CHARS))


def trim_message(message: str) -> str:
    """Shorten a message for a status."""
    return message if len(message) <= MAX_MESSAGE_CHARS else message[: MAX_MESSAGE_CHARS - 3] + "..."
