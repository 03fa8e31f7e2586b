"""Every route and every field under hostile input: no defect, no hang, nothing half written.

CASEGRAPH_FUZZ is how many requests are sent (500 unless it is set), CASEGRAPH_FUZZ_SEED from
which seed; a failure shows the request, as bytes.
"""

import itertools
import os
import random
import re
from collections import Counter
from urllib.parse import unquote

import hypothesis
import pytest
import requests  # what schemathesis makes its requests for
import schemathesis
from hypothesis import HealthCheck, Phase
from schemathesis.generation import GenerationMode

from tests.fault.exchanges import Answer, Line, Request
from tests.fault.hostile_graphql import FIELDS, graphql_requests
from tests.fault.hostile_rest import DOCUMENT, ROUTES, authorization, disturbed, rest_requests
from tests.fault.judging import judge
from tests.fault.servers import ROOT, gateway
from tests.fault.worlds import KINDS, World

REQUESTS = int(os.environ.get("CASEGRAPH_FUZZ", "200"))
SEED = int(os.environ.get("CASEGRAPH_FUZZ_SEED", "20260115"))
SHARES = {"rest": 0.42, "graphql": 0.42, "openapi": 0.1, "schema": 0.1}
"""How the requests are divided: our own corpus for both surfaces, schemathesis for both.

Together more than 1: for an operation with few different requests schemathesis makes fewer.
"""

REFURNISHED = 100
"""After so many requests there are new cases, since many of the old ones were deleted."""

DELETED = re.compile(rb'"deleted(Case|Link)Id":"([^"]+)"')


class Campaign:
    """Sends requests one after the other and judges each answer."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._line = Line(world.server.url)
        self._sent = itertools.count(1)
        self.asked: Counter[str] = Counter()
        self.statuses: Counter[int] = Counter()
        self.slowest = 0.0, ""

    def send(self, name: str, request: Request) -> None:
        number = next(self._sent)
        expected = None
        if not request.has(b"x-request-id"):
            expected = f"fuzz-{number}"
            request.headers.append((b"X-Request-Id", expected.encode()))
        if number % REFURNISHED == 0:
            self._world.furnish(self._world.own)
        answer = self._line.ask(request)
        if answer.status in (400, 408, 431) and "close" in answer.all("connection"):
            expected = None  # the head was not understood, so neither was its id
        judge(request, answer, expected)
        self._note_deletions(request, answer)
        self.asked[name] += 1
        self.statuses[answer.status] += 1
        self.slowest = max(self.slowest, (answer.seconds, f"{name} {request}"[:200]))

    def _note_deletions(self, request: Request, answer: Answer) -> None:
        """So that what is asked for is there, most often."""
        for kind, id in DELETED.findall(answer.body):
            self._world.note_deletion(kind.decode().lower(), id.decode())
        if answer.status == 204 and b"/staff" not in request.target:
            path = request.target.partition(b"?")[0]
            kind = "link" if b"/links/" in path else "webhook" if b"/webhooks/" in path else "case"
            self._world.note_deletion(kind, unquote(path.rpartition(b"/")[2].decode()))

    def close(self) -> None:
        self._line.close()


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    with gateway(tmp_path_factory.mktemp("hostile"), body_seconds=2, header_seconds=2) as server:
        yield World(server, random.Random(SEED))


@pytest.fixture
def campaign(world, request):
    made = Campaign(world)
    yield made
    made.close()
    seconds, slowest = made.slowest
    print(
        f"\n{request.node.name}: seed {SEED}, {made.asked.total():,} requests, "
        f"{dict(sorted(made.statuses.items()))}, the slowest took {seconds:.2f} s: {slowest}"
    )


def share(name):
    return max(1, round(REQUESTS * SHARES[name]))


def test_every_route_answers_hostile_input_as_documented(world, campaign):
    chance = random.Random(f"{SEED} rest")
    for name, request in itertools.islice(rest_requests(world, chance), share("rest")):
        campaign.send(name, request)

    assert campaign.asked.keys() >= {f"{method} {path}" for method, path, _operation in ROUTES}


def test_every_field_answers_hostile_input_as_documented(world, campaign):
    chance = random.Random(f"{SEED} graphql")
    for name, request in itertools.islice(graphql_requests(world, chance), share("graphql")):
        campaign.send(name, request)

    assert campaign.asked.keys() >= {name for _kind, name in FIELDS}


def test_what_the_openapi_document_suggests_is_answered_as_documented(world, campaign):
    document = DOCUMENT | {"servers": [{"url": "/api/v1"}]}
    schema = schemathesis.openapi.from_dict(document)
    modes = (GenerationMode.POSITIVE, GenerationMode.NEGATIVE)
    generate(world, campaign, schema, modes, share("openapi"), "/api/v1")

    assert len(campaign.asked) == len(ROUTES)


def test_what_the_graphql_schema_suggests_is_answered_as_documented(world, campaign):
    schema = schemathesis.graphql.from_path(str(ROOT / "schema.graphql"))
    modes = (GenerationMode.POSITIVE, GenerationMode.NEGATIVE)
    generate(world, campaign, schema, modes, share("schema"), "/graphql")

    assert len(campaign.asked) == len(FIELDS)


def generate(world, campaign, schema, modes, count, root):
    """Send what schemathesis makes of a schema: as many requests for each operation and mode."""
    chance = random.Random(f"{SEED} {root}")
    operations = [found.ok() for found in schema.get_all_operations()]
    each = -(-count // (len(operations) * len(modes)))
    for operation, mode in itertools.product(operations, modes):

        def send(case):
            request = disturbed(world, chance, as_request(world, chance, case, root))
            campaign.send(case.operation.label, request)

        drawn = hypothesis.given(operation.as_strategy(generation_mode=mode))(send)
        hypothesis.seed(SEED)(
            hypothesis.settings(
                max_examples=each,
                database=None,
                deadline=None,
                phases=[Phase.generate],
                suppress_health_check=list(HealthCheck),
            )(drawn)
        )()


def as_request(world, chance, case, root):
    """What schemathesis would send, with a good key, and often with ids of something."""
    if case.path_parameters and chance.random() < 0.75:
        known = {f"{kind}_id": world.id(kind) for kind in KINDS}
        case.path_parameters = {name: known[name] for name in case.path_parameters}
    made = requests.Request(**case.as_transport_kwargs(base_url=f"http://x{root}")).prepare()
    body = made.body.encode() if isinstance(made.body, str) else made.body
    dropped = ("authorization", "content-length", "connection", "x-schemathesis-testcaseid")
    headers = [
        (as_bytes(name), as_bytes(value))
        for name, value in made.headers.items()
        if as_bytes(name).lower().decode("latin-1") not in dropped
    ]
    target = as_bytes(made.path_url)
    return Request(as_bytes(made.method), target, [*headers, authorization(world)], body)


def as_bytes(text):
    return text.encode("utf-8", "surrogateescape") if isinstance(text, str) else text


def test_the_database_is_sound_after_it(world):
    world.server.command("verify", status=0)


def test_nothing_of_it_was_logged_as_a_defect(world):
    events = world.server.events()

    assert not [event for event in events if event.get("level") not in ("info", "warning")]
    assert "Traceback" not in world.server.logged()
    assert world.own.key not in world.server.logged()
