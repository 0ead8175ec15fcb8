"""A service that uses Authlib as its OAuth client. Does what it is told, one act a line, and says what came of it, as JSON.

    python authlib_client.py ISSUER NAME METHOD     (the secret is the first line)
"""

import json
import sys

from authlib.integrations.base_client import OAuthError
from authlib.integrations.requests_client import OAuth2Session
import requests

issuer, name, method = sys.argv[1:]
metadata = requests.get(f"{issuer}/.well-known/oauth-authorization-server", timeout=10).json()
assert method in metadata["token_endpoint_auth_methods_supported"], metadata
session = OAuth2Session(
    client_id=name,
    client_secret=sys.stdin.readline().strip(),
    token_endpoint_auth_method=method,
    revocation_endpoint_auth_method=method,
)


def act(verb, token=None):
    if verb == "fetch":
        return dict(session.fetch_token(metadata["token_endpoint"], grant_type="client_credentials"))
    if verb == "introspect":
        answer = session.introspect_token(metadata["introspection_endpoint"], token=token)
        return answer.json()
    if verb == "revoke":
        answer = session.revoke_token(metadata["revocation_endpoint"], token=token)
        return {"status": answer.status_code}
    raise ValueError(verb)


for line in sys.stdin:
    try:
        said = act(*line.split())
    except OAuthError as error:
        said = {"error": error.error}
    print(json.dumps(said), flush=True)
