"""Judges access tokens with Authlib, one a line, and says of each what it found, as JSON.

    python authlib_judge.py ISSUER AUDIENCE
"""

import json
import sys
import urllib.request

from authlib.jose import JsonWebKey, JsonWebToken
from authlib.jose.errors import JoseError

issuer, audience = sys.argv[1:]


def fetch(address):
    with urllib.request.urlopen(address, timeout=10) as answer:
        return json.load(answer)


metadata = fetch(f"{issuer}/.well-known/openid-configuration")
# Once, as a service does at its start.
keys = JsonWebKey.import_key_set(fetch(metadata["jwks_uri"]))
jwt = JsonWebToken(["RS256"])
wanted = {
    "iss": {"essential": True, "value": metadata["issuer"]},
    "aud": {"essential": True, "value": audience},
    "sub": {"essential": True},
    "exp": {"essential": True},
}


def judge(token):
    try:
        claims = jwt.decode(token, keys, claims_options=wanted)
        claims.validate()
        return dict(claims)
    except (JoseError, ValueError) as error:
        return {"error": repr(error)}


for line in sys.stdin:
    print(json.dumps(judge(line.strip())), flush=True)
