"""What is hidden, and what is not?"""

import pytest

from sundial_runner.redaction import Redactor

ENVIRON = {
    "DB_PASSWORD": "hunter2222",
    "SHORT_TOKEN": "abcde",
    "DATABASE_URL": "postgresql://app:in%40url99@db/x",
    "PWD": "/working",
    "OLDPWD": "/elsewhere",
    "PGPASSWORD": "pg-pass-word",
    "HOME": "/home/user",
}
JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl"
PEM = "-----BEGIN RSA PRIVATE KEY-----\nMIIB\nAAAA\n-----END RSA PRIVATE KEY-----"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        pytest.param("it is hunter2222!", "it is ***!", id="value of a variable"),
        pytest.param("pg-pass-word", "***", id="name without a separator"),
        pytest.param("sent in%40url99 there", "sent *** there", id="password in a URL of a variable"),
        pytest.param("sent in@url99 there", "sent *** there", id="the same, decoded"),
        pytest.param("redis://:pw@h:6379/0", "redis://:***@h:6379/0", id="URL without a user"),
        pytest.param("at amqps://u:p:w@h/v, again", "at amqps://u:***@h/v, again", id="URL in a sentence"),
        pytest.param("to postgresql://app:kT/9xQ2wLm@db/x", "to postgresql://app:***@db/x", id="base64"),
        pytest.param(f"amqp://u:{'p' * 1000}@h/v", "amqp://u:***@h/v", id="as long as a token"),
        pytest.param("dbPass=abc db_pass: abc", "dbPass=*** db_pass: ***", id="pass"),
        pytest.param("password1=abc encryption_key=abc", "password1=*** encryption_key=***", id="numbered"),
        pytest.param("password=abc&x=1", "password=***&x=1", id="query"),
        pytest.param("db_password = 'a b'", "db_password = ***", id="quoted"),
        pytest.param("{'api_key': 'x', 'n': 1}", "{'api_key': ***, 'n': 1}", id="repr"),
        pytest.param('{"apiKey": "a\\"b", "n": 1}', '{"apiKey": ***, "n": 1}', id="JSON, escaped quote"),
        pytest.param("password='never closed", "password=***", id="quote that is cut off"),
        pytest.param("accessToken: abc", "accessToken: ***", id="camel case"),
        pytest.param("dbPwd=abc", "dbPwd=***", id="short name in camel case"),
        pytest.param("client-secret: abc", "client-secret: ***", id="hyphen"),
        pytest.param("session id = 12ab", "session id = ***", id="two words"),
        pytest.param("Authorization: Bearer abc", "Authorization: ***", id="header"),
        pytest.param("كلمة password=abc", "كلمة password=***", id="after Arabic"),
        pytest.param("used Bearer abcDEF123", "used ***", id="Bearer"),
        pytest.param("used basic dXNlcjpwdw==", "used ***", id="Basic"),
        pytest.param(f"got {JWT}.", "got ***.", id="JWT"),
        pytest.param("AKIAIOSFODNN7EXAMPLE", "***", id="AWS"),
        pytest.param("ghp_abcdefghijklmnop1234", "***", id="GitHub"),
        pytest.param("glpat-abcdefghijklmnop1234", "***", id="GitLab"),
        pytest.param("xoxb-123456789012-abcdef", "***", id="Slack"),
        pytest.param(f"key:\n{PEM}\nend", "key:\n***\nend", id="PEM"),
        pytest.param("-----BEGIN PRIVATE KEY-----\nMIIB", "***", id="PEM that is cut off"),
    ],
)
def test_a_secret_in_a_text_is_hidden(text: str, shown: str) -> None:
    assert Redactor(ENVIRON).redact_text(text) == shown


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("tokens_deleted: 12", id="count of tokens"),
        pytest.param("/working/app.py and /elsewhere", id="working directory"),
        pytest.param("PWD=/working OLDPWD: /elsewhere", id="variable of the shell"),
        pytest.param("abcde", id="short value"),
        pytest.param("/home/user", id="other variable"),
        pytest.param("http://host:8080/path@x", id="port"),
        pytest.param("mailto:a@b.example", id="address"),
        pytest.param("Basic authentication failed", id="word after Basic"),
        pytest.param("compass=north bypass: yes", id="word that ends alike"),
        pytest.param("password_policy=strict", id="not the last part of the name"),
        pytest.param("the token was refused", id="sentence"),
        pytest.param("sha256:9f86d081884c7d659a2feaa0c55ad015", id="hash"),
        pytest.param("", id="nothing"),
    ],
)
def test_what_is_no_secret_stays(text: str) -> None:
    assert Redactor(ENVIRON).redact_text(text) == text


def test_values_below_a_key_that_says_secret_are_hidden() -> None:
    value = {
        "password": "x",
        "tokens_deleted": 12,
        "token": 7,
        "cookie": "",
        "next": [{"apiKey": "k", "url": "redis://:pw@h"}],
        "credentials": {"user": "u", "keys": ["a", 1, None]},
        "hunter2222": "as key",
    }
    assert Redactor(ENVIRON).redact_value(value) == {
        "password": "***",
        "tokens_deleted": 12,
        "token": 7,
        "cookie": "",
        "next": [{"apiKey": "***", "url": "redis://:***@h"}],
        "credentials": {"user": "***", "keys": ["***", 1, None]},
        "***": "as key",
    }


@pytest.mark.parametrize(
    "part",
    ["a", "-", "a.", "a:", "://", "a://b:", "eyJ-", "eyJa.", "password", "password=", "password='", "'",
     "Basic a ", "-----BEGIN PRIVATE KEY-----", "ghp_", " ", "\n", "session "],
)  # fmt: skip
def test_a_long_text_takes_steps_in_proportion(part: str) -> None:
    """A regular expression that looks at each place from each place would take minutes here."""
    text = "begin\n" + part * (100_000 // len(part))
    assert Redactor({}).redact_text(text).startswith("begin\n")
