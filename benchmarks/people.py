"""Who is in the generated cases: parties that meet again, courts that everyone meets, staff.

Words are those of the demo firm; no clock is read and nothing is random but the seed.
"""

import random
from collections.abc import Iterator
from itertools import count

from domain import folding, ids
from domain.demo import words
from domain.demo.words import DE, EN
from domain.instants import Instant
from domain.models import Party, PartyKind, Staff

NEW_PARTY = 0.424
"""How often somebody in a case is new: with 1 to 6 parties a case, 1.2 new ones a case."""
CASES_A_COURT = 250
CASES_A_STAFF_MEMBER = 250
_FIRST = [name for language in (DE, EN) for name in words.FIRST_NAMES[language].split()]
_LAST = [name for language in (DE, EN) for name in words.LAST_NAMES[language].split()]
_FIRMS = [name for names in words.COMPANIES.values() for name in names]


class People:
    """The register of the generated firm. Whoever is new is also put on *entered*."""

    def __init__(self, rng: random.Random, cases: int, at: Instant) -> None:
        self._rng = rng
        self._numbers = count(1)
        self.entered: list[Party] = []
        self._known: list[Party] = []
        self._courts = [
            self._enter(name, PartyKind.COURT, at) for name in _courts(cases // CASES_A_COURT)
        ]
        wanted = max(len(words.STAFF), cases // CASES_A_STAFF_MEMBER)
        self.staff = [
            Staff(self._id(ids.STAFF), name, email, at, at, 1)
            for name, email in self._staff_names(wanted)
        ]

    def parties(self, number: int, at: Instant) -> list[Party]:
        """*number* different parties of a case; the third is a court."""
        found: dict[str, Party] = {}
        while len(found) < number:
            if len(found) == 2:
                party = self._rng.choice(self._courts)
            elif not self._known or self._rng.random() < NEW_PARTY:
                party = self._enter(*self._somebody(), at)
                self._known.append(party)
            else:
                party = self._rng.choice(self._known)
            found.setdefault(party.id, party)
        return list(found.values())

    def colleagues(self, number: int) -> list[Staff]:
        return self._rng.sample(self.staff, number)

    def _enter(self, name: str, kind: PartyKind, at: Instant) -> Party:
        party = Party(self._id(ids.PARTY), str(kind), name, at, at, 1)
        self.entered.append(party)
        return party

    def _somebody(self) -> tuple[str, PartyKind]:
        rng = self._rng
        if rng.random() < 0.3:
            trade = rng.choice(_FIRMS).partition(" ")[2]
            return f"{rng.choice(_LAST)} {trade}", PartyKind.ORGANIZATION
        family = rng.choice(_LAST)
        if rng.random() < 0.5:
            family += f"-{rng.choice(_LAST)}"
        return f"{rng.choice(_FIRST)} {family}", PartyKind.PERSON

    def _staff_names(self, number: int) -> Iterator[tuple[str, str]]:
        names = [*words.STAFF.values()]
        while len(names) < number:
            names.append(f"{self._rng.choice(_FIRST)} {self._rng.choice(_LAST)}")
        for index, name in enumerate(names[:number]):
            letters = "".join(char for char in folding.plain(name) if char.isascii())
            yield name, f"{letters.replace(' ', '.')}.{index}@{words.EMAIL_DOMAIN}"

    def _id(self, prefix: str) -> str:
        """As the domain's own ids, ordered by the time they were made."""
        number = next(self._numbers) << 82 | self._rng.getrandbits(82)
        return prefix + ids.crockford(number, 26)


def _courts(number: int) -> Iterator[str]:
    """Names of chambers, so that a court has no more cases where there are more cases."""
    names = sorted({name for places in words.INSTITUTIONS.values() for name in places.values()})
    for index in range(max(4, number)):
        round, place = divmod(index, len(names))
        yield names[place] if round == 0 else f"{names[place]}, Kammer {round}"
