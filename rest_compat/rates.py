"""The X-RateLimit headers, on every response: pure ASGI."""

from starlette.types import ASGIApp, Message, Receive, Scope, Send


class RateHeaders:
    """Tells what the key may still do, or, to a caller without one, what a key may do."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_with_rates(message: Message) -> None:
            if message["type"] == "http.response.start":
                services = scope["app"].state.services
                allowance = scope.get("state", {}).get("allowance") or services.rates.untouched()
                message["headers"] = [
                    *message.get("headers", ()),
                    (b"x-ratelimit-limit", str(allowance.limit).encode()),
                    (b"x-ratelimit-remaining", str(allowance.remaining).encode()),
                    (b"x-ratelimit-reset", str(allowance.reset).encode()),
                ]
            await send(message)

        await self._app(scope, receive, send_with_rates)
