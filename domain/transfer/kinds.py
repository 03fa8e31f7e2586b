"""What kind of party a name is the name of, where a file does not say.

Only what is sure: legal forms, public bodies and courts. Everyone else is a person. A name that
only looks like a firm's, like a Mr. Bank, needs its kind in the file.
"""

import re

from domain.models import PartyKind

_COURTS = re.compile(
    r"(?i:\w*(?:amts|land|landes|arbeits|sozial|finanz|verwaltungs|verfassungs|familien|"
    r"nachlass|insolvenz|patent|bundes)gericht(?:shof)?s?\b)"
    r"|\b\w*[Gg]erichtshof\b|\b(?:Supreme|District|Circuit|Superior|County|High|Crown|Family|"
    r"Bankruptcy|Municipal|Probate|Appellate|Federal|Magistrates?'?|Tax) Court\b"
    r"|\bCourts? of\b|\bTribunal\b|\bCour (?:d'|de )|\bLG [A-ZÄÖÜ]|\bOLG [A-ZÄÖÜ]|^BGH$"
)
_FORMS = (
    r"Inc|Incorporated|Corp|Corporation|Co|Company|Companies|Ltd|Limited|LLC|LLP|LP|PLLC|PLC|plc|"
    r"L\.\s?L\.\s?C|L\.\s?L\.\s?P|L\.\s?P|P\.\s?L\.\s?C|P\.\s?C|GmbH|gGmbH|mbH|AG|KG|KGaA|OHG|oHG|"
    r"GbR|UG|SE|eG|eGmbH|eV|eK|KdöR|AöR|e\.\s?G|e\.\s?V|e\.\s?K|S\.\s?A|S\.\s?A\.\s?S|SAS|"
    r"S\.\s?à\s?r\.\s?l|S\.\s?A\.\s?R\.\s?L|SARL|S\.\s?p\.\s?A|SpA|S\.\s?r\.\s?l|Srl|B\.\s?V|BV|"
    r"N\.\s?V|NV|ApS|A/S|Oyj?|Sp\.\s?z\s?o\.\s?o|a\.\s?s|s\.\s?r\.\s?o|d\.\s?o\.\s?o|Pty|PartG|"
    r"PartGmbB|mbB|Aktiengesellschaft|Genossenschaft"
)
# A form stands behind a name, and is followed by nothing, by a mark, or by another form.
_FORM = re.compile(
    rf"(?<=[^\s,])[\s,]+(?:& )?(?:{_FORMS})\.?(?=$|[\s,;)&.]+(?:{_FORMS})\b|\s*[,;)(&/]|\s+i\.\s?L)"
)
_BODIES = re.compile(
    r"\b(?:United States|State of|States of|City of|Town of|Village of|County of|Commonwealth of|"
    r"Republic of|Kingdom of|People of|District of|Board of|Department of|Bureau of|Ministry of|"
    r"University|Universität|Hochschule|Bundesrepublik|Freistaat|Landkreis|Finanzamt|Jobcenter|"
    r"Sparkasse|Krankenkasse|Versicherung(?:en|s)?|Stiftung|Verein|Verband|Gewerkschaft|"
    r"Bank|Insurance|Railroad|Railway|Association|Foundation|Holdings?)\b"
    r"|\b\w*[Gg]esellschaft\b|\b\w+(?:bank|sparkasse|versicherung|genossenschaft|verband|verein|stiftung|"
    r"ministerium|kammer|krankenkasse|werke)\b"
    r"|^(?:Stadt|Gemeinde|Land|Kreis) [A-ZÄÖÜ]"
)


def guessed(name: str) -> PartyKind | None:
    """The kind that the name itself tells, or None."""
    if _COURTS.search(name):
        return PartyKind.COURT
    if _FORM.search(name) or _BODIES.search(name):
        return PartyKind.ORGANIZATION
    return None
