"""Judges access tokens with PyJWT, one a line, and says of each what it found, as JSON.

    python pyjwt.py ISSUER AUDIENCE
"""

import json
import sys
import urllib.request

import jwt

issuer, audience = sys.argv[1:]
with urllib.request.urlopen(f"{issuer}/.well-known/oauth-authorization-server", timeout=10) as answer:
    metadata = json.load(answer)
assert metadata["issuer"] == issuer, metadata
keys = jwt.PyJWKClient(metadata["jwks_uri"], timeout=10)


def judge(token):
    try:
        key = keys.get_signing_key_from_jwt(token)
        required = ["iss", "aud", "sub", "iat", "nbf", "exp", "jti"]
        options = {"require": required}
        return jwt.decode(token, key, ["RS256"], options=options, issuer=issuer, audience=audience)
    except jwt.PyJWTError as error:
        return {"error": repr(error)}


for line in sys.stdin:
    print(json.dumps(judge(line.strip())), flush=True)
