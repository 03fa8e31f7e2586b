"""What a webhook is told: the answers to a subscription, and whether a query can be one."""

from collections.abc import Sequence
from dataclasses import replace

from domain.models import Webhook
from gateway.http.feeding import Refused, Subscription, prepared
from gateway.http.parameters import BadRequest, Parameters
from gateway.http.persisted import Persisted
from gateway.settings import Settings

QUERY = """subscription {
  caseChanges {
    cursor
    node {
      id
      databaseId
      type
      at
      actor
      caseUuid
      subjectId
      changes {
        field
        before
        after
      }
    }
  }
}"""
"""The query of a webhook that names none."""


_MOST = 100
"""How many compiled subscriptions are kept."""


class Payloads:
    """The subscriptions of webhooks, compiled once."""

    def __init__(self, persisted: Persisted, settings: Settings) -> None:
        self._persisted = persisted
        self._settings = settings
        self._compiled: dict[str, Subscription] = {}

    def wrong(self, query: str, events: Sequence[str] | None) -> str | None:
        """What is wrong with the query of a webhook, in a sentence; None if nothing is."""
        try:
            wanted = self._prepared(query).wanted
        except Refused as refusal:
            return str(refusal.errors[0]["message"])
        if wanted.after is not None:
            return "query must not name after: where a webhook begins, its own argument says."
        if wanted.types == ():
            return "query must name a type, or leave types out to be told of all changes."
        if wanted.types is not None and events is not None:
            return "query must not name types if events are given."
        return None

    def of(self, webhook: Webhook) -> Subscription:
        """The subscription whose answers a webhook gets. Raises Refused."""
        subscription = self._compiled.get(webhook.query)
        if subscription is None:
            if len(self._compiled) >= _MOST:
                self._compiled.clear()
            subscription = self._compiled[webhook.query] = self._prepared(webhook.query)
        if webhook.events is None:
            return subscription
        return replace(subscription, wanted=replace(subscription.wanted, types=webhook.events))

    def _prepared(self, query: str) -> Subscription:
        asked = Parameters(query, None, None)
        if query != QUERY:
            try:
                # It is sent with its text: of which workspace it is does not matter.
                asked = self._persisted.resolved(asked, 0)
            except BadRequest as refusal:
                raise Refused([{"message": str(refusal)}]) from None
        return prepared(asked, self._settings)
