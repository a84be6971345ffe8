"""An OpenID provider that publishes its key and signs tokens, in a thread of its own."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from joserfc import jwt
from joserfc.jwk import RSAKey

from sundial_devcluster.addresses import LOOPBACK

AUDIENCE = "sundial"
TOKEN_SECONDS = 3600


class TestProvider:
    """A provider behind a wire; `url`, its issuer, leads through that."""

    def __init__(self) -> None:
        self.key = RSAKey.generate_key(2048, {"kid": "only"})
        self.url = ""
        provider = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                body = json.dumps(provider.answer(self.path)).encode()
                self.send_response(200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer((LOOPBACK, 0), Handler)

    def answer(self, path: str) -> object:
        """Answer what is at a path."""
        if path == "/keys":
            return {"keys": [self.key.as_dict(private=False)]}
        return {"issuer": self.url, "jwks_uri": f"{self.url}/keys"}

    def sign(self, user: str) -> str:
        """Sign a token of a user."""
        claims = {"iss": self.url, "aud": AUDIENCE, "sub": user, "exp": int(time.time()) + TOKEN_SECONDS}
        return jwt.encode({"alg": "RS256", "kid": "only"}, claims, self.key, algorithms=["RS256"])


@contextmanager
def run_provider() -> Iterator[TestProvider]:
    """Run a provider until the block ends."""
    provider = TestProvider()
    thread = threading.Thread(target=provider.server.serve_forever, daemon=True)
    thread.start()
    try:
        yield provider
    finally:
        provider.server.shutdown()
        provider.server.server_close()
        thread.join(10)
