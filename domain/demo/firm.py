"""Demo cases: the files of one invented law firm, as JSON objects for the importer.

Everything follows from the seed; no clock is read. The firm's vocabulary is in words.py. This file
is long because the firm is one simulation: who meets whom depends on everything before it.
"""

import random
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from itertools import accumulate
from typing import Any
from uuid import UUID

from domain import folding, ids, instants
from domain.demo import words
from domain.demo.words import DE, EN, Matter
from domain.models import CaseStatus, LinkType, PartyKind

_FIRST_DAY = datetime(2023, 1, 9, tzinfo=UTC)
_LAST_DAY = datetime(2026, 10, 9, tzinfo=UTC)
_TODAY = datetime(2026, 10, 30, 16, tzinfo=UTC)
_HOLIDAYS = {(1, 1), (1, 2), (5, 1), (10, 3)}
_APPEAL_WITHIN = timedelta(days=24)
_MOST_EVENTS = 8
_UMLAUTS = str.maketrans({"ä": "ae", "ö": "oe", "ü": "ue"})


def demo_cases(count: int = 320, seed: int = 7) -> list[dict[str, Any]]:
    """*count* cases of one firm in German and English, oldest first; a seed always gives the same.

    Cases link to earlier ones in the list, each link at one end only. Parties and staff recur.
    """
    firm = _Firm(random.Random(seed))  # noqa: S311 (believable, not secret)
    firm.work(count)
    return [file.case for file in firm.files]


Party = dict[str, str]


@dataclass(slots=True)
class _File:
    """A case, with the facts later cases need."""

    case: dict[str, Any]
    matter: Matter
    city: str
    client: Party
    opponent: Party | None
    court: str
    docket: str
    ended_at: datetime | None
    is_judged: bool
    is_followed: bool = False


@dataclass(slots=True)
class _Progress:
    """A case's progress: its events, oldest first, its end and its last change."""

    events: list[tuple[datetime, words.Step]]
    ended_at: datetime | None
    updated_at: datetime


class _Firm:
    """Opens cases in chronological order and remembers everyone it has met."""

    def __init__(self, rng: random.Random) -> None:
        self.files: list[_File] = []
        self._rng = rng
        self._now = _FIRST_DAY
        self._numbers: Counter[str] = Counter()
        self._parties: dict[str, Party] = {}
        self._homes: dict[str, str] = {}
        self._met: dict[tuple[str, str], list[str]] = {}
        self._unmet = {language: self._shuffled_names(language) for language in (DE, EN)}
        self._staff = {key: self._employ(name) for key, name in words.STAFF.items()}

    def work(self, count: int) -> None:
        span = (_LAST_DAY - _FIRST_DAY).days
        days = (_FIRST_DAY + timedelta(days=self._rng.randint(0, span)) for _ in range(count))
        for created_at in sorted(self._at_work(day) for day in days):
            self._next_case(created_at)

    def _next_case(self, created_at: datetime) -> None:
        self._now = created_at
        chance = self._rng.random()
        if chance < 0.18 and (lower := self._appealable(created_at)):
            lower.is_followed = True
            lower.case["status"] = CaseStatus.CLOSED.value  # not archived during an appeal
            self._link(self._appeal(created_at, lower), lower, LinkType.LOWER_INSTANCE)
        elif chance < 0.21 and (earlier := self._repeatable(created_at)):
            earlier.is_followed = True
            file = self._open(
                created_at, earlier.matter, earlier.city, earlier.client, earlier.opponent
            )
            self._link(file, earlier, LinkType.PREDECESSOR)
        else:
            matter = self._new_matter()
            home = self._rng.choice(words.CITIES[matter.language])
            client = self._party(matter.client, "client", matter.language, home)
            city = matter.city or self._homes.setdefault(client["id"], home)
            if matter.is_umbrella and self._umbrella_of(client):
                self._next_case(created_at)  # one retainer per client is enough
                return
            opponent = None
            if matter.opponent:
                opponent = self._party(matter.opponent, "opponent", matter.language, city, client)
            self._link_within_client(self._open(created_at, matter, city, client, opponent))

    def _new_matter(self) -> Matter:
        return self._rng.choices(words.MATTERS, [matter.weight for matter in words.MATTERS])[0]

    def _umbrella_of(self, client: Party) -> _File | None:
        held = (file for file in self.files if file.matter.is_umbrella and file.client is client)
        return next(held, None)

    def _appealable(self, at: datetime) -> _File | None:
        return self._one_of(
            file
            for file in self.files
            if file.matter.appeal
            and file.is_judged
            and not file.is_followed
            and file.ended_at
            and timedelta(days=3) < at - file.ended_at < _APPEAL_WITHIN
        )

    def _repeatable(self, at: datetime) -> _File | None:
        return self._one_of(
            file
            for file in self.files
            if file.matter.recurs and not file.is_followed and file.ended_at and file.ended_at < at
        )

    def _one_of(self, files: Iterable[_File]) -> _File | None:
        candidates = list(files)
        return self._rng.choice(candidates) if candidates else None

    def _appeal(self, created_at: datetime, lower: _File) -> _File:
        """Open the appeal: the same parties before a higher court."""
        assert lower.matter.appeal
        assert lower.ended_at
        appeal = words.APPEALS[lower.matter.appeal]
        slots = {
            "name": lower.case["name"],
            "judged": self._day(lower.ended_at, lower.matter.language),
            "lower": lower.court,
            "lower_docket": lower.docket,
        }
        matter = replace(
            lower.matter,
            names=(appeal.name.format(**slots),),
            descriptions=(appeal.description.format(**slots),),
            steps=appeal.steps,
            endings=appeal.endings,
            court=appeal.court,
            docket=appeal.docket,
            appeal=None,
            others=(),
            recurs=False,
        )
        return self._open(created_at, matter, lower.city, lower.client, lower.opponent)

    def _open(
        self, created_at: datetime, matter: Matter, city: str, client: Party, opponent: Party | None
    ) -> _File:
        language = matter.language
        court = words.INSTITUTIONS[matter.court][city] if matter.court else ""
        slots = self._slots(matter, created_at, client, opponent) | {"court": court, "city": city}
        status = CaseStatus.ACTIVE if matter.is_umbrella else self._status(created_at)
        progress = self._progress(status, matter, created_at)
        steps = [step for _, step in progress.events]
        filings = [at for at, (word, _) in progress.events if word in words.FILING]
        docket = self._docket(matter.docket, next(iter(filings), created_at))
        is_active = status is CaseStatus.ACTIVE
        is_before_court = bool(filings) or not is_active
        case = {
            "id": self._case_id(created_at),
            "name": self._rng.choice(matter.names).format(**slots),
            "file_number": self._file_number(created_at, language, is_active=is_active),
            "status": status.value,
            "type": matter.type,
            "description": self._seldom_null(
                self._rng.choice(matter.descriptions).format(**slots), 0.1
            ),
            "dezernat": self._seldom_null(matter.dezernat, 0.05),
            "created_at": instants.of(created_at),
            "updated_at": instants.of(progress.updated_at),
            "parties": self._case_parties(
                matter, city, client, opponent, court if is_before_court else "", docket
            ),
            "staff": self._assignments(matter),
            "timeline": [
                {
                    "type": word,
                    "occurred_at": instants.of(at),
                    "title": title.format(**slots, due=self._due(at, language)),
                }
                for at, (word, title) in progress.events
            ],
            "links": [],
        }
        is_judged = not is_active and bool(steps) and steps[-1][0] == "judgment"
        file = _File(
            case, matter, city, client, opponent, court, docket, progress.ended_at, is_judged
        )
        self.files.append(file)
        return file

    def _slots(
        self, matter: Matter, created_at: datetime, client: Party, opponent: Party | None
    ) -> dict[str, str]:
        language, rng = matter.language, self._rng
        before = created_at - timedelta(days=rng.randint(25, 70))
        return {
            "client": _short(client),
            "opponent": _short(opponent) if opponent else "",
            "amount": _money(language, rng.randint(12, 99) * rng.choice((100, 500, 1000))),
            "rent": _money(language, rng.randint(62, 240) * 10),
            "long_ago": str(before.year - rng.randint(3, 15)),
            "years": str(rng.randint(3, 24)),
            "street": rng.choice(words.STREETS[language]).format(rng.randint(1, 120)),
            "past": f"{words.MONTHS[language].split()[before.month - 1]} {before.year}",
            "late": f"{rng.choice(words.LATE_NAMES[language].split())} {_surname(client['name'])}",
        }

    def _status(self, created_at: datetime) -> CaseStatus:
        """The older a case, the likelier it is closed or archived."""
        years = (_TODAY - created_at).days / 365
        active, closed = next(
            odds
            for limit, odds in ((0.3, (100, 0)), (1, (75, 25)), (2, (35, 58)), (9, (8, 45)))
            if years < limit
        )
        return self._rng.choices(list(CaseStatus), (active, closed, 100 - active - closed))[0]

    def _progress(self, status: CaseStatus, matter: Matter, created_at: datetime) -> _Progress:
        rng, age = self._rng, (_TODAY - created_at).days
        if status is CaseStatus.ACTIVE:
            furthest = min(len(matter.steps), age // 30)
            least = furthest - 2 if age > 300 else 0
            steps = list(matter.steps[: rng.randint(max(0, least), furthest)])
            span = age * rng.uniform(0.5, 0.97)
        else:
            steps = [s for s in matter.steps if s[0] in words.FILING or rng.random() < 0.75]
            steps = [*steps[: _MOST_EVENTS - 1], rng.choice(matter.endings)]
            if rng.random() < 0.04:
                steps = []
            span = min(age * 0.85, rng.uniform(120, 560))
        times = self._spread(created_at, span, len(steps))
        last = times[-1] if times else created_at + timedelta(days=span / 3)
        if status is CaseStatus.ACTIVE:
            rest, ended_at = rng.uniform(0, 9), None
        else:
            rest = rng.uniform(60, 200) if status is CaseStatus.ARCHIVED else rng.uniform(1, 21)
            ended_at = last
        touched = self._at_work(min(last + timedelta(days=rest), _TODAY))
        updated_at = max(touched, last)
        return _Progress(list(zip(times, steps, strict=True)), ended_at, updated_at)

    def _spread(self, start: datetime, days: float, count: int) -> list[datetime]:
        """*count* times in working hours after *start*, in order, the first of them soon."""
        gaps = [self._rng.uniform(0.5, 1.5) * (0.02 if n == 0 else 1) for n in range(count)]
        ways = [gap / sum(gaps) * days for gap in accumulate(gaps)]
        return sorted(
            max(self._at_work(start + timedelta(days=way)), start + timedelta(hours=n + 1))
            for n, way in enumerate(ways)
        )

    def _at_work(self, day: datetime) -> datetime:
        """A time in working hours on *day*, or on the last working day before it."""
        while day.weekday() > 4 or (day.month, day.day) in _HOLIDAYS or _is_yule(day):
            day -= timedelta(days=1)
        hour, minute = self._rng.randint(7, 15), self._rng.randrange(0, 60, 5)
        return day.replace(hour=hour, minute=minute, second=0, microsecond=0)

    def _due(self, at: datetime, language: str) -> str:
        return self._day(self._at_work(at + timedelta(days=self._rng.randint(16, 40))), language)

    def _day(self, at: datetime, language: str) -> str:
        if language == DE:
            return f"{at.day:02d}.{at.month:02d}.{at.year}"
        return f"{at.day} {words.MONTHS[EN].split()[at.month - 1]} {at.year}"

    def _docket(self, form: str, at: datetime) -> str:
        a, b, n = (self._rng.randint(*span) for span in ((1, 29), (302, 338), (11, 489)))
        return form.format(a=a, b=b, n=n, yy=f"{at.year % 100:02d}", yyyy=at.year)

    def _file_number(self, at: datetime, language: str, *, is_active: bool) -> str | None:
        is_new = is_active and (_TODAY - at).days < 150
        if self._rng.random() < (0.2 if is_new else 0.02):
            return None
        prefix = f"{'AZ' if language == DE else 'M'}-{at.year}"
        self._numbers[prefix] += 1
        return f"{prefix}-{self._numbers[prefix]:0{3 if language == DE else 4}d}"

    def _seldom_null(self, text: str, odds: float) -> str | None:
        return None if self._rng.random() < odds else text

    def _case_parties(
        self,
        matter: Matter,
        city: str,
        client: Party,
        opponent: Party | None,
        court: str,
        docket: str,
    ) -> list[dict[str, Any]]:
        joined = [(client, "client", None)]
        if opponent:
            joined.append((opponent, "opponent", None))
        for role, pool, odds in matter.others:
            if self._rng.random() < odds:
                other = self._party(pool, "other", matter.language, city, client)
                if all(other["id"] != party["id"] for party, _, _ in joined):
                    joined.append((other, role, None))
        roles: list[dict[str, Any]] = [
            {**party, "role": role, "reference": self._reference(party, matter)}
            for party, role, _ in joined
        ]
        if court:
            court_party = self._registered(court, PartyKind.COURT)
            roles.append({**court_party, "role": "court", "reference": docket})
        return roles

    def _reference(self, party: Party, matter: Matter) -> str | None:
        if party["name"] in words.COMPANIES[matter.language, "insurer"]:
            label = "Schaden-Nr." if matter.language == DE else "Claim no."
            return f"{label} {self._rng.randint(23, 26)}-{self._rng.randint(100_000, 999_999)}"
        if party["kind"] == PartyKind.ORGANIZATION and self._rng.random() < 0.15:
            label = "Vertrag Nr." if matter.language == DE else "Contract"
            return f"{label} {self._rng.randint(1_000, 9_999)}"
        return None

    def _party(
        self, pool: str, side: str, language: str, city: str, client: Party | None = None
    ) -> Party:
        """A party from *pool*: a person on that side, a relative of the client, a company ..."""
        if pool == "person":
            return self._registered(self._person(side, language), PartyKind.PERSON)
        if pool == "relative" and client:
            return self._registered(self._relative(language, client["name"]), PartyKind.PERSON)
        if pool == "expert":
            return self._registered(self._rng.choice(words.EXPERTS[language]), PartyKind.PERSON)
        if pool in words.INSTITUTIONS:
            return self._registered(words.INSTITUTIONS[pool][city], PartyKind.ORGANIZATION)
        name = self._rng.choice(words.COMPANIES[language, pool])
        return self._registered(name, PartyKind.ORGANIZATION)

    def _person(self, side: str, language: str) -> str:
        """Often someone the firm has met on that side before, never on another one."""
        met, unmet = self._met.setdefault((language, side), []), self._unmet[language]
        if unmet and (not met or self._rng.random() < 0.55):
            met.append(unmet.pop())
            return met[-1]
        return self._rng.choice(met)

    def _relative(self, language: str, client: str) -> str:
        """A new person with the client's family name."""
        surname, unmet = _surname(client), self._unmet[language]
        name = next((name for name in unmet if _surname(name) == surname), None)
        if name:
            unmet.remove(name)
            return name
        first_names = words.FIRST_NAMES[language].split()
        return f"{self._rng.choice([n for n in first_names if n not in client])} {surname}"

    def _shuffled_names(self, language: str) -> list[str]:
        """Everyone the firm may meet, the next one last; common surnames tend to come up sooner."""
        names = [
            f"{first} {last}"
            for first in words.FIRST_NAMES[language].split()
            for last in words.LAST_NAMES[language].split()
        ]
        order = {
            name: self._rng.random() + (0.1 if _surname(name) in words.COMMON_NAMES else 0)
            for name in names
            if name not in words.STAFF.values()
        }
        return sorted(order, key=order.__getitem__)

    def _registered(self, name: str, kind: PartyKind) -> Party:
        """The party of that name, registered when the firm first meets it."""
        if name not in self._parties:
            party = {"id": self._id(ids.PARTY, self._now), "name": name, "kind": kind.value}
            self._parties[name] = party
        return self._parties[name]

    def _employ(self, name: str) -> dict[str, str]:
        given, family = _letters(name.removeprefix("Dr. ")).split()
        email = f"{given}.{family}@{words.EMAIL_DOMAIN}"
        return {"id": self._id(ids.STAFF, _FIRST_DAY), "name": name, "email": email}

    def _assignments(self, matter: Matter) -> list[dict[str, Any]]:
        language, rng = matter.language, self._rng
        if matter.dezernat == "Notariat":
            roles = {"grossmann": "notary", "fuechsl": "paralegal"}
        else:
            roles = {rng.choice(words.LEADS[language, matter.dezernat]): "lead_attorney"}
            for role, keys, odds in (
                ("partner", words.PARTNERS[language], 0.25),
                ("associate", words.ASSOCIATES[language], 0.6),
                ("paralegal", words.PARALEGALS[language], 0.65),
            ):
                if rng.random() < odds:
                    roles.setdefault(rng.choice(keys), role)
        return [{**self._staff[key], "role": role, "note": None} for key, role in roles.items()]

    def _link_within_client(self, file: _File) -> None:
        """Link some matters below the client's retainer, or beside the client's last matter."""
        if file.matter.is_umbrella:
            return
        umbrella, chance = self._umbrella_of(file.client), self._rng.random()
        earlier = [other for other in self.files[:-1] if other.client is file.client]
        if umbrella and chance < 0.2:
            self._link(file, umbrella, LinkType.PARENT)
        elif earlier and chance < 0.05:
            self._link(file, earlier[-1], LinkType.RELATED)

    def _link(self, file: _File, earlier: _File, type: LinkType) -> None:
        """Link two cases at one of them: usually the later one, sometimes the earlier one."""
        opened = datetime.fromisoformat(file.case["created_at"])
        at = opened + timedelta(minutes=self._rng.randint(5, 55))
        holder, other = file, earlier
        if self._rng.random() < 0.2:
            holder, other, type = earlier, file, type.inverse
        link = {
            "id": self._id(ids.LINK, at),
            "type": type.value,
            "linked_case_id": other.case["id"],
            "created_at": instants.of(at),
        }
        holder.case["links"].append(link)
        holder.case["updated_at"] = max(holder.case["updated_at"], link["created_at"])

    def _case_id(self, at: datetime) -> str:
        chance = self._rng.getrandbits(74)
        rand_a, rand_b = chance >> 62, chance & (1 << 62) - 1
        value = _milliseconds(at) << 80 | 7 << 76 | rand_a << 64 | 0b10 << 62 | rand_b
        return str(UUID(int=value))

    def _id(self, prefix: str, at: datetime) -> str:
        return prefix + ids.crockford(_milliseconds(at) << 82 | self._rng.getrandbits(82), 26)


def _milliseconds(at: datetime) -> int:
    return int(at.timestamp()) * 1000


def _surname(name: str) -> str:
    return name.rsplit(maxsplit=1)[-1]


def _short(party: Party) -> str:
    """A party as case names refer to it: people by their family name."""
    return _surname(party["name"]) if party["kind"] == PartyKind.PERSON else party["name"]


def _money(language: str, amount: int) -> str:
    return f"£{amount:,}" if language == EN else f"{amount:,} €".replace(",", ".")


def _letters(name: str) -> str:
    """A name as written in an e-mail address: ä becomes ae, other marks are dropped."""
    return folding.plain(name.lower().translate(_UMLAUTS))


def _is_yule(day: datetime) -> bool:
    return day.month == 12 and day.day >= 24
