"""Who asks, while Schemathesis tries the API: `.ci/api` says where and by which secrets."""

import os
import uuid

import requests
import schemathesis

ORIGIN = os.environ["USHER_ORIGIN"]
CLIENT = (os.environ["USHER_CLIENT_ID"], os.environ["USHER_CLIENT_SECRET"])
PASSWORD = os.environ["USHER_SUPERUSER_PASSWORD"]

# Anybody may ask for these, and some of them refuse whoever is signed in.
ANONYMOUS = [
    "/api/v1/user/login",
    "/api/v1/token/refresh",
    "/api/v1/token/continue",
]
# These change or end whoever asks.
OWN = ["/api/v1/user/me", "/api/v1/user/logout"]


def token(path, login, password):
    answer = requests.post(f"{ORIGIN}{path}", json={"login": login, "password": password}, timeout=10)
    answer.raise_for_status()
    return answer.json()["access_token"]


# What changes roles makes tokens stale, so one is not kept for long.
@(
    schemathesis.auth(refresh_interval=2)
    .apply_to(path_regex="^/api/v1/")
    .skip_for(path=ANONYMOUS + OWN)
    .skip_for(path="/api/v1/user", method="POST")
)
class Superuser:
    def get(self, case, context):
        return token("/api/v1/user/login", "admin", PASSWORD)

    def set(self, case, data, context):
        case.headers["Authorization"] = f"Bearer {data}"


@schemathesis.auth(refresh_interval=None).apply_to(path=OWN)
class SomebodyNew:
    def get(self, case, context):
        return token("/api/v1/user", f"u{uuid.uuid4().hex[:30]}", PASSWORD)

    def set(self, case, data, context):
        case.headers["Authorization"] = f"Bearer {data}"


@schemathesis.auth(refresh_interval=None).apply_to(path_regex="^/oauth2/")
class Service:
    def get(self, case, context):
        return requests.auth._basic_auth_str(*CLIENT)

    def set(self, case, data, context):
        case.headers["Authorization"] = data


@schemathesis.serializer("application/x-ndjson")
def lines(context, value):
    return value if isinstance(value, bytes) else str(value).encode()
