"""What must not be told? Secrets, known by the names of keys and variables, by form, and by value.

Each expression looks at a text once: one of a million characters, whatever it holds, takes moments.
"""

from __future__ import annotations

import re

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from sundial_runner.json_form import Json

HIDDEN = "***"
SHORTEST_VALUE = 6
"""Characters of a secret whose value itself is looked for; shorter ones are parts of ordinary words."""

# As the last part of a name. The short ones only as a part of their own: `db_pwd`, `dbPwd`.
_LONG = (
    r"passw(?:or)?d|pass[_-]?(?:phrase|code)|secret|token"
    r"|(?:api|access|private|secret|encryption|signing)[ _-]?key"
    r"|authorization|credentials?|cookie|session[ _-]?id|connection[ _-]?string"
)
_PART = r"(?:(?<![a-z0-9])|(?-i:(?<=[a-z0-9])(?=[A-Z])))"
_SECRET = rf"(?:{_LONG}|{_PART}(?:pwd|dsn|pass))(?:[_-]?[0-9]+)?"
_NAME = re.compile(rf"{_SECRET}$", re.I)
_PAIR = re.compile(
    rf"(?P<key>(?<![a-z0-9_.-])[a-z0-9_.-]*?{_SECRET}[\"']?\s{{0,9}}[=:]\s{{0,9}})"
    r"(?:b?\"(?:[^\"\\]|\\.)*(?:\"|$)|b?'(?:[^'\\]|\\.)*(?:'|$)|(?:(?:Bearer|Basic)\s+)?[^\s,;&)\]}\"']+)",
    re.I | re.S,
)
_URL = re.compile(
    r"\b([a-z][a-z0-9+.-]{0,30}://[^\s:/@'\"<>]{0,256})"
    r":([^\s@'\"<>/]{1,1024}|(?!\d{1,5}/)[^\s@'\"<>]{1,256})@",
    re.I,
)
_FORMS = re.compile(
    r"(?i:\b(?:Bearer|Basic)\s+)(?=[a-z._~+/-]*[A-Z0-9=])[A-Za-z0-9._~+/=-]{8,}"
    r"|(?<![A-Za-z0-9_-])eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{4,}\.[A-Za-z0-9_-]*"
    r"|\b(?:AKIA|ASIA)[A-Z0-9]{16}\b"
    r"|\b(?:gh[oprsu]|github_pat|glpat|xox[abeprs])[-_][A-Za-z0-9_-]{16,}"
    r"|-----BEGIN [A-Z ]{0,40}PRIVATE KEY-----.*?(?:-----END [A-Z ]{0,40}PRIVATE KEY-----|$)",
    re.S,
)
_FOLDERS = ("PWD", "OLDPWD")
"""Variables of every shell, which only look like passwords."""


class Redactor:
    """Hides the secrets of a process with this environment."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        known = {value for value in find_secrets(environ) if len(value) >= SHORTEST_VALUE}
        self._known = sorted(known, key=len, reverse=True)

    def redact_text(self, text: str) -> str:
        """Hide what looks like a secret in a text."""
        for value in self._known:
            text = text.replace(value, HIDDEN)
        text = _URL.sub(rf"\1:{HIDDEN}@", text)
        text = _FORMS.sub(HIDDEN, text)
        return _PAIR.sub(_hide_pair, text)

    def redact_value(self, value: Json) -> Json:
        """Hide the texts below keys that say secret, and what looks like a secret elsewhere; numbers stay."""
        if isinstance(value, dict):
            return {self.redact_text(key): self._redact_entry(key, one) for key, one in value.items()}
        if isinstance(value, list):
            return [self.redact_value(one) for one in value]
        return self.redact_text(value) if isinstance(value, str) else value

    def _redact_entry(self, key: str, value: Json) -> Json:
        return hide_texts(value) if is_secret(key) else self.redact_value(value)


def hide_texts(value: Json) -> Json:
    """Hide all texts of a value; what is empty shows that nothing was set."""
    if isinstance(value, dict):
        return {key: hide_texts(one) for key, one in value.items()}
    if isinstance(value, list):
        return [hide_texts(one) for one in value]
    return HIDDEN if value and isinstance(value, str) else value


def is_secret(name: str) -> bool:
    """Tell whether a name says that what it names is secret."""
    return _NAME.search(name) is not None and name not in _FOLDERS


def find_secrets(environ: Mapping[str, str]) -> Iterator[str]:
    """Find the values of variables that are secret by their name, and the passwords in all the others."""
    for name, value in environ.items():
        if is_secret(name):
            yield value
        for _, password in _URL.findall(value):
            yield from (password, _decode(password))


def _decode(password: str) -> str:
    """Decode a password as those who use a URL do."""
    if "%" not in password:
        return password
    from urllib.parse import unquote

    return unquote(password)


def _hide_pair(pair: re.Match[str]) -> str:
    key = pair["key"]
    return pair[0] if key.rstrip("=: \t\"'") in _FOLDERS else key + HIDDEN
