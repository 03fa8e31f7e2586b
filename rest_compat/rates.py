"""The X-RateLimit headers, on every response."""

from starlette.types import ASGIApp, Message, Receive, Scope, Send


def rate_headers(scope: Scope) -> list[tuple[bytes, bytes]]:
    """What the key may still do, or, for a caller without one, what a key may do."""
    allowance = scope.get("state", {}).get("allowance")
    if allowance is None:
        allowance = scope["app"].state.services.rates.untouched()
    return [
        (b"x-ratelimit-limit", b"%d" % allowance.limit),
        (b"x-ratelimit-remaining", b"%d" % allowance.remaining),
        (b"x-ratelimit-reset", b"%d" % allowance.reset),
    ]


class RateHeaders:
    """Adds them to the responses of an application: pure ASGI."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_with_rates(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message.get("headers", ()), *rate_headers(scope)]
            await send(message)

        await self._app(scope, receive, send_with_rates)
