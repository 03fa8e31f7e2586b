"""What a name tells of a party's kind, and what it does not."""

import pytest

from domain.transfer.kinds import guessed

ORGANIZATIONS = """
Apple Inc. | Apple Inc | Google LLC | Meyer GmbH | Meyer & Söhne GmbH & Co. KG | Siemens AG
Sportverein 1899 e. V. | TSV Musterstadt e.V. | Kanzlei Groß PartG mbB | Bäckerei Klein OHG
Wohnen am See eG | Schulze Bau UG (haftungsbeschränkt) | Allianz SE | Merck KGaA | Meier KG
Acme Corp. | Acme Corporation | Smith & Co. | J.P. Morgan Chase & Co. | Rio Tinto plc | BP PLC
Jones Day LLP | Nestlé S.A. | Philips N.V. | Booking.com B.V. | Ferrari S.p.A. | Amazon EU S.à r.l.
Deutsche Bank | Bank of America | Commerzbank | Stadtsparkasse München | United States
United States of America | State of Texas | City of Chicago | County of Los Angeles
Commonwealth of Massachusetts | Bundesrepublik Deutschland | Freistaat Bayern | Stadt Köln
Finanzamt Berlin | Department of Justice | AOK Krankenkasse | Allianz Versicherung
Muster Gesellschaft bürgerlichen Rechts | Deutsche Wohnen Genossenschaft | Penn Central Railroad
Harvard University | National Labor Relations Board of Review | Shell Oil Company | Tesco Limited
Acme Pty Ltd | Novo Nordisk A/S
""".replace("\n", "|").split("|")
COURTS = """
Amtsgericht Köln | Landgericht München I | Oberlandesgericht Hamm | Bundesgerichtshof
Bundesverfassungsgericht | Supreme Court | Superior Court of California | U.S. District Court
Court of Appeals | Europäischer Gerichtshof | Arbeitsgericht Berlin | High Court of Justice
""".replace("\n", "|").split("|")
PEOPLE = """
Jörg Müller | Dr. Anna Groß | Agnes Court | John Ag | Coretta Scott | Ag Müller | Se Ri Pak
Ingrid Incarnata | Max Korporal | Lp | AG | Ludwig Stadtler | Maria Landmann | Peter Land
Anna Vereinsson | Limited | Sa Chen | Co Minh
""".replace("\n", "|").split("|")


def named(texts):
    return [text.strip() for text in texts if text.strip()]


@pytest.mark.parametrize("name", named(ORGANIZATIONS))
def test_a_legal_form_or_a_public_body_is_an_organization(name):
    assert guessed(name) == "organization"


@pytest.mark.parametrize("name", named(COURTS))
def test_a_court_is_a_court(name):
    assert guessed(name) == "court"


@pytest.mark.parametrize("name", named(PEOPLE))
def test_a_person_is_not_guessed_to_be_anything(name):
    assert guessed(name) is None
