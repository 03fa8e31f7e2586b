"""What the query of a webhook may be."""

from gateway.http.persisted import PREFIX, Persisted, digest
from gateway.settings import Settings
from gateway.webhooks.payloads import QUERY, Payloads

OWN = "subscription { caseChanges { cursor } }"


def payloads(trusted=(), *, only=True):
    documents = {PREFIX + digest(text): text for text in trusted}
    return Payloads(Persisted(documents, register=True, only=only), Settings())


def test_where_only_trusted_documents_are_executed_a_query_must_be_one():
    assert "only documents that it was started with" in payloads().wrong(OWN, None)
    assert payloads([OWN]).wrong(OWN, None) is None
    assert payloads(only=False).wrong(OWN, None) is None


def test_the_usual_query_is_good_everywhere():
    for one in (payloads(), payloads(only=False)):
        assert one.wrong(QUERY, None) is None
        assert one.wrong(QUERY, ["case_created"]) is None
