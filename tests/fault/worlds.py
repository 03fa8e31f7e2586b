"""What a hostile client finds: a firm with cases, its sandbox, and another firm beside it."""

import base64
import random
from dataclasses import dataclass, field
from typing import Any

import httpx2

from tests.fault.servers import Gateway

FOREIGN = "Fremdmandant"
"""Stands in every name of the sandbox and of the other firm, which no answer may show."""

KINDS = {
    "case": "Case",
    "party": "Party",
    "staff": "Staff",
    "link": "CaseLink",
    "event": "TimelineEvent",
    "webhook": "Webhook",
}


@dataclass
class Firm:
    """A workspace: a key for it, ids of what is in it by kind, and cursors of its lists."""

    key: str
    ids: dict[str, list[str]] = field(default_factory=lambda: {kind: [] for kind in KINDS})
    global_ids: dict[str, list[str]] = field(default_factory=lambda: {kind: [] for kind in KINDS})
    cursors: list[str] = field(default_factory=list)
    pages: list[tuple[str, str]] = field(default_factory=list)
    """Of each cursor, the list that it belongs to, as a path."""


class World:
    """A running gateway with three firms: whose key is used, and two that are none of its."""

    def __init__(self, server: Gateway, chance: random.Random) -> None:
        self.server = server
        self.chance = chance
        server.command("init", "--workspace", "other")
        self.own = Firm(server.key)
        self.gone: list[str] = []
        self.foreign = [
            Firm(server.make_key("--test")),
            Firm(server.make_key("--workspace", "other")),
        ]
        for firm, name in zip(
            [self.own, *self.foreign], ["Mandant", FOREIGN, FOREIGN], strict=True
        ):
            for _ in range(3):
                self.furnish(firm, name)

    def furnish(self, firm: Firm, name: str = "Mandant") -> None:
        """Two linked cases more, with parties, staff and cursors of their lists."""
        with httpx2.Client(
            base_url=f"{self.server.url}/api/v1", headers={"Authorization": f"Bearer {firm.key}"}
        ) as http:

            def made(path: str, body: Any) -> Any:
                answer = http.post(path, json=body)
                assert answer.status_code == 201, answer.text
                return answer.json()

            one, two = (made("/cases", {"name": f"{name} ./. Weiß", "type": "civil"}) for _ in "12")
            people = [{"name": f"{name} {n}", "role": "client"} for n in range(3)]
            parties = made(f"/cases/{one['id']}/parties", people)["data"]
            staff = made(f"/cases/{one['id']}/staff", people)["data"]
            wanted = {"target_case_id": two["id"], "type": "parent"}
            link = made(f"/cases/{one['id']}/links", wanted)
            self._note(firm, "case", one["id"], two["id"])
            self._note(firm, "party", *(one["id"] for one in parties))
            self._note(firm, "staff", *(one["id"] for one in staff))
            firm.ids["link"].append(link["id"])
            firm.global_ids["link"].append(_global("CaseLink", f"{one['id']}/{link['id']}"))
            if len(firm.ids["webhook"]) < 4:
                hook = made("/webhooks", {"url": "https://hooks.invalid/"})
                firm.ids["webhook"].append(hook["id"])
                firm.global_ids["webhook"].append(hook["id"])  # it has no other
            for path in (
                "/cases",
                "/cases?search=weiss",
                f"/cases/{one['id']}/parties",
                f"/cases/{one['id']}/staff",
                f"/cases/{one['id']}/timeline",
            ):
                page = http.get(f"{path}{'&' if '?' in path else '?'}limit=1").json()
                if (cursor := page["pagination"].get("cursor")) is not None:
                    firm.cursors.append(cursor)
                    firm.pages.append((path, cursor))
            events = http.get(f"/cases/{one['id']}/timeline").json()["data"]
            self._note(firm, "event", *(one["id"] for one in events))
        for kept in (*firm.ids.values(), *firm.global_ids.values(), firm.cursors, firm.pages):
            del kept[:-30]

    def _note(self, firm: Firm, kind: str, *ids: str) -> None:
        firm.ids[kind] += ids
        firm.global_ids[kind] += [_global(KINDS[kind], id) for id in ids]

    def note_deletion(self, kind: str, id: str) -> None:
        """Something was deleted by its plain or global id: it is seldom asked for again."""
        plain = _plain(id)
        for ids in (self.own.ids[kind], self.own.global_ids[kind]):
            ids[:] = [one for one in ids if plain != _plain(one)]
        self.gone = [*self.gone[-9:], plain]
        if len(self.own.ids[kind]) < 4:
            self.furnish(self.own)

    def firm(self) -> Firm:
        """Most often the own one."""
        return self.own if self.chance.random() < 0.88 else self.chance.choice(self.foreign)

    def id(self, kind: str | None) -> str:
        """A plain id of the kind, or of any."""
        if self.gone and self.chance.random() < 0.03:
            return self.chance.choice(self.gone)
        return self.chance.choice(self.firm().ids[kind or self.chance.choice(list(KINDS))])

    def global_id(self, kind: str | None) -> str:
        firm, kind = self.firm(), kind or self.chance.choice(list(KINDS))
        return self.chance.choice(
            (firm.global_ids if self.chance.random() < 0.8 else firm.ids)[kind]
        )

    def cursor(self) -> str:
        return self.chance.choice(self.firm().cursors)


def _global(name: str, id: str) -> str:
    return base64.b64encode(f"{name}:{id}".encode()).decode()


def _plain(id: str) -> str:
    """The plain id in a global one; a plain id stays as it is."""
    try:
        decoded = base64.b64decode(id, validate=True).decode()
    except ValueError:
        return id
    return decoded.partition(":")[2].rpartition("/")[2]
