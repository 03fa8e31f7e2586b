"""Signatures are those of Standard Webhooks."""

import base64
import hashlib
import hmac

from domain.webhooks import signing

# The example of the specification, https://www.standardwebhooks.com, "Signature scheme".
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
ID = "msg_p5jXN8AQM9LWM0D4loKWxJek"
BODY = b'{"test": 2432232314}'


def test_the_signature_of_the_specification():
    assert signing.signatures([SECRET], ID, 1614265330, BODY) == (
        "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
    )


def test_each_secret_signs():
    secrets = [signing.new_secret(), signing.new_secret()]

    values = signing.signatures(secrets, "evt_1", 1, b"x").split(" ")

    for secret, value in zip(secrets, values, strict=True):
        key = base64.b64decode(secret.removeprefix("whsec_"))
        assert len(key) == 32
        mac = hmac.new(key, b"evt_1.1.x", hashlib.sha256).digest()
        assert value == f"v1,{base64.b64encode(mac).decode()}"


def test_a_digest_tells_nothing_of_its_secret():
    secret = signing.new_secret()
    assert secret[8:] not in signing.digest(secret)
    assert signing.digest(secret) == hashlib.sha256(secret.encode()).hexdigest()
