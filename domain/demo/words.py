"""The words of the demo firm: its people, its courts and the matters it takes on.

Words only: firm.py decides who meets whom and when. The file is long because it is one table
of matters, and a matter split over files could not be read. Every person and company is invented;
courts, tax offices and prosecutors are real institutions. The firm's notary sits in Frankfurt,
where German law lets a lawyer be a notary.
"""

from dataclasses import dataclass

Step = tuple[str, str]

DE, EN = "de", "en"
CITIES = {
    DE: ("Hamburg", "Hamburg", "Hamburg", "München", "München", "Köln", "Frankfurt am Main"),
    EN: ("London", "London", "London", "Manchester", "Bristol"),
}
STREETS = {
    DE: ("Lindenstraße {}", "Am Mühlbach {}", "Großer Kamp {}", "Kastanienweg {}", "Ölmühle {}"),
    EN: ("{} Orchard Row", "{} Tanner's Yard", "{} Bramble Lane", "{} Quayside Terrace"),
}
MONTHS = {
    DE: "Januar Februar März April Mai Juni Juli August September Oktober November Dezember",
    EN: "January February March April May June July August September October November December",
}

STAFF = {
    "lindqvist": "Dr. Henrike Lindqvist",
    "jaeger": "Dr. Matthias Jäger",
    "weiss": "Sabine Weiß",
    "oezdemir": "Aylin Özdemir",
    "schroeder": "Jörg Schröder",
    "grossmann": "Dr. Annelie Großmann",
    "boettcher": "Felix Böttcher",
    "kuehn": "Lena Kühn",
    "petrovic": "Marija Petrović",
    "voss": "Jürgen Voß",
    "brueckner": "Nele Brückner",
    "hinrichs": "Sönke Hinrichs",
    "fuechsl": "Gabriele Füchsl",
    "hartley": "Imogen Hartley",
    "adeyemi": "Tunde Adeyemi",
    "raman": "Priya Raman",
    "pritchard": "Owen Pritchard",
    "callaghan": "Beth Callaghan",
}
EMAIL_DOMAIN = "lindqvist-jaeger.example"
PARTNERS = {DE: ("lindqvist", "jaeger"), EN: ("hartley",)}
PARALEGALS = {DE: ("brueckner", "hinrichs", "fuechsl"), EN: ("callaghan",)}
ASSOCIATES = {DE: ("boettcher", "kuehn", "petrovic"), EN: ("raman", "pritchard")}
LEADS = {
    (DE, "Arbeitsrecht"): ("weiss",),
    (DE, "Mietrecht"): ("schroeder",),
    (DE, "Litigation"): ("lindqvist", "voss"),
    (DE, "Corporate"): ("jaeger",),
    (DE, "Familienrecht"): ("oezdemir",),
    (DE, "Erbrecht"): ("oezdemir", "schroeder"),
    (DE, "Steuerrecht"): ("petrovic",),
    (DE, "Strafrecht"): ("voss",),
    (DE, "Insolvenzrecht"): ("jaeger", "lindqvist"),
    (DE, "Gewerblicher Rechtsschutz"): ("lindqvist",),
    (DE, "Verkehrsrecht"): ("voss", "boettcher"),
    (DE, "Baurecht"): ("schroeder",),
    (EN, "Employment"): ("adeyemi",),
    (EN, "Litigation"): ("hartley", "adeyemi"),
    (EN, "Property"): ("pritchard",),
    (EN, "Corporate"): ("hartley",),
    (EN, "Private Client"): ("raman",),
    (EN, "Crime"): ("adeyemi",),
}

FIRST_NAMES = {
    DE: "Annegret Björn Cornelia Derya Eike Friederike Götz Heike Irmgard Jörn Käthe Ludger Meike "
    "Nurcan Ottmar Pia Rüdiger Sören Theresia Ulrike Volker Wiebke Yasemin Zoë Günter Bärbel",
    EN: "Adaeze Bronwen Callum Devika Eleanor Fergus Gwen Harriet Ifeoma Jasper Lachlan Maeve "
    "Nadia Oluwaseun Philippa Rhys Siobhan Tamsin Yusuf Zara",
}
COMMON_NAMES = frozenset({"Müller", "Schröder", "Weiß", "Jäger", "Okafor", "Patel"})
# The deceased have names of their own, so that no heir inherits from themselves.
LATE_NAMES = {
    DE: "Wilhelmine Hertha Gottfried Erwin Adelheid Friedhelm Roswitha Anneliese",
    EN: "Winifred Cuthbert Mabel Reginald Enid Horace Dorothea Wilfred",
}
LAST_NAMES = {
    DE: "Müller Weiß Özdemir Jäger Großmann Schröder Köhler Fröhlich Böhm Kühn Yıldız Nowak "
    "Lüdemann Obermayer Schäfer Krüger Hinrichs Preuß Thießen Wölfle Zander Kovačević Täubert "
    "Voß Grünwald Hölscher",
    EN: "Okafor Whitcombe Pemberton Hargreaves Ashworth Donnelly Kaur Llewellyn Mensah Quigley "
    "Nightingale O'Rourke Patel Ravenscroft Thackeray Vickers Wainwright Blakeney Fairfax Iqbal",
}

# Companies by what they are to the firm; no company is both a client and an opponent.
COMPANIES = {
    (DE, "client_firm"): (
        "Mueller & Söhne Fördertechnik GmbH",
        "Süderelbe Kaffeekontor GmbH & Co. KG",
        "Weißwasser Medizintechnik AG",
        "Fährhaus Hotelbetriebe GmbH",
        "Brückentor Software GmbH",
        "Oberländer Käsewerke eG",
    ),
    (DE, "client_landlord"): ("Alsterquell Wohnbau eG", "Isarwinkel Grundbesitz GmbH"),
    (DE, "firm"): (
        "Nordkai Spedition GmbH",
        "Grünspan Werbeagentur GmbH",
        "Bäckerei Köhler & Groß OHG",
        "Rheinbogen Anlagenbau GmbH",
        "Tönnhoff Pflegedienste gGmbH",
        "Blaumeise Textilhandel GmbH",
        "Kupferhof Elektrogroßhandel KG",
        "Löwenzahn Naturkost GmbH",
        "Münsterplatz Verlag GmbH",
        "Zirkelstein Maschinen AG",
    ),
    (DE, "landlord"): (
        "Rotklinker Immobilien GmbH",
        "Schloßgarten Hausverwaltung GmbH",
        "Vierlinden Wohnen GmbH & Co. KG",
    ),
    (DE, "builder"): ("Hansebau GmbH", "Gebrüder Öttl Hochbau GmbH", "Deichkrone Tiefbau GmbH"),
    (DE, "insurer"): (
        "Nordlicht Schadenversicherung AG",
        "Alstertor Versicherungsverein a.G.",
        "Weißblaue Assekuranz AG",
    ),
    (EN, "client_firm"): (
        "Muller Marine Coatings Ltd",
        "Fenwold Data Systems Ltd",
        "Hartsmere Foods plc",
        "Copperbeech Schools Trust",
    ),
    (EN, "client_landlord"): ("Larkrise Estates Ltd",),
    (EN, "firm"): (
        "Northgate Logistics Ltd",
        "Corriedale Foods Ltd",
        "Brackenbury Recruitment LLP",
        "Saltmarsh Engineering Ltd",
        "Osprey Lane Media Ltd",
        "Quillon Packaging Ltd",
    ),
    (EN, "landlord"): ("Pennyfield Lettings Ltd", "Greywharf Homes LLP"),
    (EN, "builder"): ("Dunmallet Construction Ltd", "Thornhithe Builders Ltd"),
    (EN, "insurer"): ("Calder Wye Insurance plc", "Thornbury Mutual Insurance Society"),
}
EXPERTS = {
    DE: ("Dipl.-Ing. Ruprecht Thießen", "Dr.-Ing. Almut Hölzer", "Prof. Dr. Kaspar Brühl"),
    EN: ("Dr Lionel Farthingale", "Marguerite Oyelaran FRICS"),
}


_FRANKFURT = "Frankfurt am Main"


def _in_each_city(name: str, otherwise: dict[str, str] | None = None) -> dict[str, str]:
    return {city: name.format(city) for city in CITIES[DE]} | (otherwise or {})


def _everywhere(name: str) -> dict[str, str]:
    return {city: name for cities in CITIES.values() for city in cities}


INSTITUTIONS = {
    "amtsgericht": _in_each_city("Amtsgericht {}"),
    "landgericht": _in_each_city("Landgericht {}", {"München": "Landgericht München I"}),
    "oberlandesgericht": _in_each_city(
        "Oberlandesgericht {}", {"Hamburg": "Hanseatisches Oberlandesgericht"}
    ),
    "arbeitsgericht": _in_each_city("Arbeitsgericht {}"),
    "landesarbeitsgericht": _in_each_city(
        "Landesarbeitsgericht {}", {_FRANKFURT: "Hessisches Landesarbeitsgericht"}
    ),
    "finanzgericht": _in_each_city("Finanzgericht {}", {_FRANKFURT: "Hessisches Finanzgericht"}),
    "bundesfinanzhof": _everywhere("Bundesfinanzhof"),
    "finanzamt": _in_each_city(
        "Finanzamt {}", {"Hamburg": "Finanzamt Hamburg-Nord", "Köln": "Finanzamt Köln-Mitte"}
    ),
    "staatsanwaltschaft": _in_each_city(
        "Staatsanwaltschaft {}", {"München": "Staatsanwaltschaft München I"}
    ),
    "tribunal": {
        "London": "London Central Employment Tribunal",
        "Manchester": "Manchester Employment Tribunal",
        "Bristol": "Bristol Employment Tribunal",
    },
    "appeal_tribunal": _everywhere("Employment Appeal Tribunal"),
    "county_court": {
        "London": "County Court at Central London",
        "Manchester": "County Court at Manchester",
        "Bristol": "County Court at Bristol",
    },
    "high_court": _everywhere("High Court of Justice"),
    "court_of_appeal": _everywhere("Court of Appeal (Civil Division)"),
    "family_court": _everywhere("Central Family Court"),
    "tax_tribunal": _everywhere("First-tier Tribunal (Tax Chamber)"),
    "upper_tribunal": _everywhere("Upper Tribunal (Tax and Chancery Chamber)"),
    "crown_court": _everywhere("Crown Court at Southwark"),
    "companies_court": _everywhere("Insolvency and Companies Court"),
    "enterprise_court": _everywhere("Intellectual Property Enterprise Court"),
    "construction_court": _everywhere("Technology and Construction Court"),
    "hmrc": _everywhere("HM Revenue & Customs"),
    "prosecution": _everywhere("Crown Prosecution Service"),
}

# The steps that bring a case before its court; until then the court is no party to it.
FILING = frozenset(
    {"complaint_filed", "complaint_received", "application_filed", "charge_filed", "appeal_filed"}
)


@dataclass(frozen=True, slots=True)
class Matter:
    """A kind of case: who is in it, how it is told and how it goes.

    Texts have slots in braces, which firm.py fills. Clients and opponents are named by pool.
    """

    language: str
    type: str
    dezernat: str
    weight: int
    client: str
    opponent: str | None
    names: tuple[str, ...]
    descriptions: tuple[str, ...]
    steps: tuple[Step, ...]
    endings: tuple[Step, ...]
    court: str | None = None
    docket: str = ""
    appeal: str | None = None
    others: tuple[tuple[str, str, float], ...] = ()  # role, pool, how often
    city: str | None = None
    recurs: bool = False  # the same two parties may meet over it again
    is_umbrella: bool = False  # other cases of the client hang below it


@dataclass(frozen=True, slots=True)
class Appeal:
    """What becomes of a matter before the next court."""

    court: str
    docket: str
    name: str
    description: str
    steps: tuple[Step, ...]
    endings: tuple[Step, ...]


_BERUFUNG = (
    ("appeal_filed", "Berufung eingelegt"),
    ("deadline_set", "Frist zur Berufungsbegründung bis {due} notiert"),
    ("brief_filed", "Berufungsbegründung eingereicht"),
    ("brief_received", "Berufungserwiderung eingegangen"),
    ("hearing", "Mündliche Verhandlung über die Berufung"),
)
_BERUFUNG_ENDS = (
    ("judgment", "Berufungsurteil verkündet: Die Berufung hat teilweise Erfolg"),
    ("order", "Zurückweisung der Berufung durch Beschluss"),
    ("settlement", "Vergleich in der Berufungsinstanz geschlossen"),
)
_BERUFUNG_TEXT = (
    "Berufung gegen das Urteil vom {judged} ({lower}, Az. {lower_docket}). "
    "Streitig ist vor allem die Beweiswürdigung der ersten Instanz."
)
_APPEAL = (
    ("appeal_filed", "Notice of appeal filed"),
    ("order", "Permission to appeal granted on two grounds"),
    ("brief_filed", "Skeleton argument lodged"),
    ("hearing", "Appeal heard, judgment reserved"),
)
_APPEAL_ENDS = (
    ("judgment", "Judgment handed down: appeal allowed in part"),
    ("judgment", "Judgment handed down: appeal dismissed"),
    ("settlement", "Appeal compromised by consent order"),
)
_APPEAL_TEXT = (
    "Appeal from the decision of {judged} ({lower}, {lower_docket}). "
    "The grounds are misdirection of law and inadequate reasons."
)

APPEALS = {
    "landgericht": Appeal(
        "landgericht",
        "{a} S {n}/{yy}",
        "{name} (Berufung)",
        _BERUFUNG_TEXT,
        _BERUFUNG,
        _BERUFUNG_ENDS,
    ),
    "oberlandesgericht": Appeal(
        "oberlandesgericht",
        "{a} U {n}/{yy}",
        "{name} (Berufung)",
        _BERUFUNG_TEXT,
        _BERUFUNG,
        _BERUFUNG_ENDS,
    ),
    "landesarbeitsgericht": Appeal(
        "landesarbeitsgericht",
        "{a} SLa {n}/{yy}",
        "{name} (Berufung)",
        _BERUFUNG_TEXT,
        _BERUFUNG,
        _BERUFUNG_ENDS,
    ),
    "bundesfinanzhof": Appeal(
        "bundesfinanzhof",
        "IX R {a}/{yy}",
        "{name} (Revision)",
        "Revision gegen das Urteil vom {judged} ({lower}, Az. {lower_docket}).",
        (
            ("appeal_filed", "Revision eingelegt"),
            ("brief_filed", "Revisionsbegründung eingereicht"),
        ),
        (("judgment", "Urteil zugestellt: Zurückverweisung an das Finanzgericht"),),
    ),
    "appeal_tribunal": Appeal(
        "appeal_tribunal",
        "EA-{yyyy}-{n:06d}",
        "{name}, on appeal",
        _APPEAL_TEXT,
        _APPEAL,
        _APPEAL_ENDS,
    ),
    "court_of_appeal": Appeal(
        "court_of_appeal",
        "CA-{yyyy}-{n:06d}",
        "{name}, on appeal",
        _APPEAL_TEXT,
        _APPEAL,
        _APPEAL_ENDS,
    ),
    "upper_tribunal": Appeal(
        "upper_tribunal",
        "UT/{yyyy}/{n:06d}",
        "{name}, on appeal",
        _APPEAL_TEXT,
        _APPEAL,
        _APPEAL_ENDS,
    ),
}

_GEGEN = ("{client} ./. {opponent}",)
_VERSUS = ("{client} v. {opponent}",)
_KLAGE = (
    ("letter_sent", "Anspruchsschreiben mit Fristsetzung versandt"),
    ("complaint_filed", "Klage beim {court} eingereicht"),
    ("brief_received", "Klageerwiderung eingegangen"),
    ("deadline_set", "Frist zur Replik bis {due} notiert"),
    ("brief_filed", "Replik eingereicht"),
    ("hearing", "Haupttermin vor dem {court}"),
)
_URTEIL = ("judgment", "Urteil verkündet: Der Klage wird teilweise stattgegeben")
_VERGLEICH = ("settlement", "Gerichtlicher Vergleich geschlossen")
_CLAIM = (
    ("letter_sent", "Letter before action sent"),
    ("complaint_filed", "Claim form issued"),
    ("brief_received", "Defence received"),
    ("deadline_set", "Disclosure due by {due}"),
    ("settlement_talks", "Without prejudice meeting with the other side"),
    ("hearing", "Trial before the {court}"),
)
_JUDGMENT = ("judgment", "Judgment handed down: claim allowed in part")
_CONSENT = ("settlement", "Settled on terms in a Tomlin order")

MATTERS = (
    Matter(
        DE,
        "employment",
        "Arbeitsrecht",
        10,
        "person",
        "firm",
        (*_GEGEN, "{client} ./. {opponent} – Kündigungsschutz"),
        (
            "Die Mandantschaft wendet sich gegen die betriebsbedingte Kündigung nach {years} Jahren"
            " im Betrieb. Eine Sozialauswahl hat nach unserer Kenntnis nicht stattgefunden.",
            "Kündigungsschutzklage gegen eine fristlose Kündigung vom {past}. Der Betriebsrat "
            "wurde vorher nicht angehört; verlangt wird Weiterbeschäftigung, hilfsweise eine "
            "Abfindung.",
            "Kündigung wegen häufiger Kurzerkrankungen. Ein betriebliches Eingliederungsmanagement "
            "wurde nicht angeboten.",
        ),
        (
            ("complaint_filed", "Kündigungsschutzklage beim {court} eingereicht"),
            ("hearing", "Gütetermin ohne Einigung"),
            ("deadline_set", "Frist zur Stellungnahme bis {due} notiert"),
            ("brief_received", "Schriftsatz der Arbeitgeberseite zum Kündigungsgrund"),
            ("settlement_talks", "Vergleichsgespräch über eine Abfindung von {amount}"),
            ("hearing", "Kammertermin vor dem {court}"),
        ),
        (
            ("settlement", "Vergleich: Beendigung gegen Abfindung und gutes Zeugnis"),
            ("judgment", "Urteil verkündet: Das Arbeitsverhältnis besteht fort"),
        ),
        "arbeitsgericht",
        "{a} Ca {n}/{yy}",
        "landesarbeitsgericht",
        (("witness", "person", 0.2),),
    ),
    Matter(
        DE,
        "employment",
        "Arbeitsrecht",
        5,
        "person",
        "firm",
        ("{client} ./. {opponent} – Lohn und Zeugnis", *_GEGEN),
        (
            "Die Mandantschaft verlangt {amount} Überstundenvergütung. Die Arbeitszeiten sind "
            "durch Ausdrucke der Zeiterfassung belegt.",
            "Streit um Resturlaub und die Schlussformel im Zeugnis nach dem Ausscheiden im {past}.",
        ),
        (
            ("letter_sent", "Geltendmachung innerhalb der Ausschlussfrist versandt"),
            ("complaint_filed", "Klage beim {court} eingereicht"),
            ("hearing", "Gütetermin vor dem {court}"),
            ("brief_received", "Stellungnahme der Arbeitgeberseite eingegangen"),
        ),
        (_VERGLEICH, _URTEIL),
        "arbeitsgericht",
        "{a} Ca {n}/{yy}",
        "landesarbeitsgericht",
    ),
    Matter(
        DE,
        "employment",
        "Arbeitsrecht",
        5,
        "client_firm",
        "person",
        ("{client} ./. {opponent}", "{client} ./. {opponent} – Kündigung"),
        (
            "Verteidigung der Arbeitgeberin gegen eine Kündigungsschutzklage. Gekündigt wurde nach "
            "zwei Abmahnungen wegen wiederholter Verspätung.",
            "Verhaltensbedingte Kündigung wegen des Verdachts falsch erfasster Arbeitszeiten. Die "
            "Anhörung und das Protokoll des Betriebsrats liegen vor.",
        ),
        (
            ("complaint_received", "Kündigungsschutzklage zugestellt"),
            ("hearing", "Gütetermin vor dem {court}"),
            ("deadline_set", "Frist zur Klageerwiderung bis {due} notiert"),
            ("brief_filed", "Klageerwiderung eingereicht"),
            ("evidence_taken", "Vernehmung der Schichtleitung im Kammertermin"),
        ),
        (("settlement", "Vergleich geschlossen, Widerrufsfrist verstrichen"), _URTEIL),
        "arbeitsgericht",
        "{a} Ca {n}/{yy}",
        "landesarbeitsgericht",
        (("witness", "person", 0.5),),
    ),
    Matter(
        DE,
        "tenancy",
        "Mietrecht",
        9,
        "person",
        "landlord",
        (*_GEGEN, "{client} ./. {opponent} – Wohnraummiete"),
        (
            "Schimmel in zwei Räumen der Wohnung {street}. Die Mandantschaft mindert die Miete um "
            "20 % und verlangt Beseitigung.",
            "Mieterhöhung auf {rent} monatlich zum Mietspiegel. Die Vermieterin setzt Merkmale an, "
            "die die Wohnung {street} nicht hat.",
            "Eigenbedarfskündigung der Wohnung {street} nach {years} Jahren Mietzeit. Widerspruch "
            "wegen sozialer Härte ist erklärt.",
        ),
        (
            ("letter_sent", "Schreiben mit Fristsetzung an die Vermieterin versandt"),
            ("complaint_filed", "Klage beim {court} eingereicht"),
            ("brief_received", "Klageerwiderung der Vermieterin eingegangen"),
            ("expert_report", "Ortstermin in der Wohnung {street}"),
            ("hearing", "Verhandlung vor dem {court}"),
        ),
        (_URTEIL, _VERGLEICH),
        "amtsgericht",
        "{b} C {n}/{yy}",
        "landgericht",
        (("expert", "expert", 0.3), ("witness", "person", 0.15)),
        recurs=True,
    ),
    Matter(
        DE,
        "tenancy",
        "Mietrecht",
        6,
        "client_landlord",
        "person",
        ("{client} ./. {opponent} – Räumung", *_GEGEN),
        (
            "Räumungsklage wegen eines Rückstands von drei Monatsmieten zu je {rent}. Die "
            "fristlose Kündigung wurde durch Boten zugestellt.",
            "Kündigung nach Rückständen aus Betriebskosten für das Objekt {street}; die Gegenseite "
            "bestreitet den Verteilungsschlüssel.",
        ),
        (
            ("letter_sent", "Fristlose Kündigung zugestellt"),
            ("complaint_filed", "Klage beim {court} eingereicht"),
            ("brief_received", "Verteidigungsanzeige eingegangen"),
            ("hearing", "Verhandlung vor dem {court}"),
        ),
        (_URTEIL, _VERGLEICH, ("order", "Räumungstermin durchgeführt, Wohnung übergeben")),
        "amtsgericht",
        "{b} C {n}/{yy}",
        "landgericht",
    ),
    Matter(
        DE,
        "litigation",
        "Litigation",
        9,
        "client_firm",
        "firm",
        (*_GEGEN, "{client} ./. {opponent} – Liefervertrag"),
        (
            "Zahlungsklage über {amount} aus einem Rahmenliefervertrag. Die Gegenseite rechnet mit "
            "angeblichen Mängeln auf.",
            "Rückabwicklung einer Maschinenlieferung vom {past}. Zwei Nachbesserungen sind "
            "fehlgeschlagen; es geht um {amount} und entgangenen Gewinn.",
            "Schadensersatz von {amount} nach verspäteter Lieferung. Streitig ist, ob die "
            "Haftung in den Geschäftsbedingungen wirksam begrenzt wurde.",
        ),
        _KLAGE,
        (_URTEIL, _VERGLEICH, ("order", "Klagerücknahme nach Zahlung")),
        "landgericht",
        "{b} O {n}/{yy}",
        "oberlandesgericht",
        (("witness", "person", 0.35), ("expert", "expert", 0.15)),
        recurs=True,
    ),
    Matter(
        DE,
        "corporate",
        "Corporate",
        3,
        "client_firm",
        None,
        ("Rahmenmandat {client}", "{client} – laufende Beratung"),
        ("Laufende gesellschafts- und vertragsrechtliche Beratung; Einzelsachen werden angelegt.",),
        (
            ("meeting", "Auftaktgespräch mit der Geschäftsführung"),
            ("contract_signed", "Vergütungsvereinbarung unterzeichnet"),
            ("meeting", "Jahresgespräch zu offenen Vorgängen"),
        ),
        (("file_closed", "Mandat einvernehmlich beendet"),),
        is_umbrella=True,
    ),
    Matter(
        DE,
        "corporate",
        "Corporate",
        5,
        "client_firm",
        "firm",
        ("Beteiligung {client} an {opponent}", "{client} / {opponent} – Beteiligung"),
        (
            "Erwerb von 60 % der Geschäftsanteile für {amount}. Wir führen die Due Diligence und "
            "verhandeln den Anteilskaufvertrag.",
            "Beteiligung von 40 % durch Kapitalerhöhung, mit gemeinsamer Fertigung in {city}; eine "
            "Anmeldung beim Bundeskartellamt wird geprüft.",
        ),
        (
            ("meeting", "Auftaktgespräch und Absichtserklärung"),
            ("document_review", "Due-Diligence-Bericht vorgelegt"),
            ("draft_sent", "Erster Vertragsentwurf an die Gegenseite versandt"),
            ("negotiation", "Verhandlungsrunde zu Garantien und Kaufpreis"),
        ),
        (
            ("contract_signed", "Vertrag unterzeichnet und vollzogen"),
            ("file_closed", "Verhandlungen abgebrochen, Akte abgelegt"),
        ),
    ),
    Matter(
        DE,
        "family",
        "Familienrecht",
        7,
        "person",
        "relative",
        ("{client} ./. {opponent} – Ehescheidung", "Ehesache {client}"),
        (
            "Einvernehmliche Scheidung nach {years} Jahren Ehe. Offen sind der Zugewinn und das "
            "gemeinsame Haus {street}.",
            "Trennung im {past}. Es geht um Trennungsunterhalt, den Hausrat und den Umgang mit "
            "zwei Kindern.",
        ),
        (
            ("meeting", "Erstgespräch zu Trennung und Unterhalt"),
            ("application_filed", "Scheidungsantrag beim {court} eingereicht"),
            ("deadline_set", "Auskünfte zum Versorgungsausgleich bis {due} angefordert"),
            ("settlement_talks", "Viergespräch zum Zugewinn"),
            ("hearing", "Anhörung vor dem Familiengericht"),
        ),
        (("order", "Scheidungsbeschluss verkündet"), ("settlement", "Scheidungsfolgen verglichen")),
        "amtsgericht",
        "{b} F {n}/{yy}",
    ),
    Matter(
        DE,
        "inheritance",
        "Erbrecht",
        6,
        "person",
        "relative",
        ("Nachlass {late}",),
        (
            "Erbauseinandersetzung unter Geschwistern; zum Nachlass gehören ein Haus ({street}) "
            "und Wertpapiere über {amount}.",
            "Pflichtteilsanspruch nach Enterbung durch handschriftliches Testament. Die Gegenseite "
            "verweigert das Nachlassverzeichnis.",
            "Zweifel an der Testierfähigkeit bei Errichtung des Testaments im Jahr {long_ago}.",
        ),
        (
            ("letter_sent", "Auskunft über den Nachlass verlangt"),
            ("application_filed", "Erbscheinsantrag beim {court} gestellt"),
            ("document_received", "Nachlassverzeichnis eingegangen"),
            ("expert_report", "Wertgutachten über das Grundstück liegt vor"),
            ("settlement_talks", "Gespräch der Erbengemeinschaft in der Kanzlei"),
        ),
        (
            ("order", "Erbschein erteilt"),
            ("settlement", "Auseinandersetzungsvertrag unterzeichnet"),
        ),
        "amtsgericht",
        "{b} VI {n}/{yy}",
        others=(("heir", "relative", 0.4), ("expert", "expert", 0.2)),
    ),
    Matter(
        DE,
        "tax",
        "Steuerrecht",
        4,
        "client_firm",
        "finanzamt",
        ("{client} ./. {opponent}", "{client} – Betriebsprüfung"),
        (
            "Nach der Betriebsprüfung wurden {amount} Umsatzsteuer nachgefordert. Streitig ist der "
            "Vorsteuerabzug aus Bauleistungen.",
            "Hinzuschätzung von {amount} wegen formeller Mängel der Kassenführung; Aussetzung der "
            "Vollziehung ist beantragt.",
        ),
        (
            ("objection_filed", "Einspruch gegen den Bescheid eingelegt"),
            ("decision_received", "Einspruchsentscheidung eingegangen"),
            ("complaint_filed", "Klage zum Finanzgericht erhoben"),
            ("brief_received", "Klageerwiderung des Finanzamts eingegangen"),
            ("hearing", "Erörterungstermin vor der Berichterstatterin"),
        ),
        (_URTEIL, ("settlement", "Tatsächliche Verständigung mit dem Finanzamt")),
        "finanzgericht",
        "{a} K {n}/{yy}",
        "bundesfinanzhof",
        recurs=True,
    ),
    Matter(
        DE,
        "criminal",
        "Strafrecht",
        5,
        "person",
        None,
        ("Strafsache {client}", "Ermittlungsverfahren {client}"),
        (
            "Vorwurf der fahrlässigen Körperverletzung nach einem Sturz auf einer Baustelle. Die "
            "Mandantschaft macht vorerst keine Angaben.",
            "Vorwurf des Betrugs bei Fördermitteln in Höhe von {amount}. Akteneinsicht ist "
            "gewährt.",
        ),
        (
            ("letter_sent", "Verteidigung angezeigt und Akteneinsicht beantragt"),
            ("document_received", "Ermittlungsakte eingegangen"),
            ("brief_filed", "Einlassung zur Sache abgegeben"),
            ("charge_filed", "Anklage zum {court} erhoben"),
            ("hearing", "Hauptverhandlung vor dem {court}"),
        ),
        (
            ("verdict", "Urteil verkündet: Freispruch"),
            ("order", "Einstellung gegen Zahlung einer Auflage"),
        ),
        "amtsgericht",
        "{b} Ds {n}/{yy}",
        others=(("prosecutor", "staatsanwaltschaft", 1.0), ("witness", "person", 0.4)),
    ),
    Matter(
        DE,
        "insolvency",
        "Insolvenzrecht",
        4,
        "client_firm",
        "firm",
        ("Insolvenzverfahren {opponent}", "{client} – Forderung gegen {opponent}"),
        (
            "Anmeldung einer Forderung von {amount} aus Lieferungen unter Eigentumsvorbehalt. "
            "Aussonderung der Restbestände ist verlangt.",
            "Der Insolvenzverwalter ficht Zahlungen von {amount} aus den letzten drei Monaten vor "
            "dem Antrag an.",
        ),
        (
            ("application_filed", "Forderung zum Verfahren beim {court} angemeldet"),
            ("letter_sent", "Aussonderungsrechte gegenüber der Verwaltung geltend gemacht"),
            ("meeting", "Gläubigerversammlung"),
            ("deadline_set", "Prüfungstermin: Stellungnahme bis {due}"),
        ),
        (
            ("claim_admitted", "Forderung zur Tabelle festgestellt"),
            ("file_closed", "Schlussverteilung erfolgt"),
        ),
        "amtsgericht",
        "{b} IN {n}/{yy}",
        others=(("administrator", "person", 0.8),),
    ),
    Matter(
        DE,
        "ip",
        "Gewerblicher Rechtsschutz",
        4,
        "client_firm",
        "firm",
        ("{client} ./. {opponent} – Markenverletzung", *_GEGEN),
        (
            "Die Gegenseite vertreibt online gleichartige Ware unter verwechselbarem Zeichen. Die "
            "Abmahnung blieb unbeantwortet.",
            "Nachahmung einer eingetragenen Wort-Bild-Marke auf Messen; Streitwert {amount}.",
        ),
        (
            ("letter_sent", "Abmahnung mit Unterlassungserklärung versandt"),
            ("application_filed", "Antrag auf einstweilige Verfügung beim {court}"),
            ("order", "Einstweilige Verfügung erlassen"),
            ("brief_received", "Widerspruch gegen die Verfügung eingegangen"),
            ("hearing", "Verhandlung über den Widerspruch"),
        ),
        (
            ("judgment", "Urteil verkündet: Verfügung teilweise bestätigt"),
            ("settlement", "Abschlusserklärung abgegeben"),
        ),
        "landgericht",
        "{b} O {n}/{yy}",
        "oberlandesgericht",
    ),
    Matter(
        DE,
        "traffic",
        "Verkehrsrecht",
        7,
        "person",
        "insurer",
        (*_GEGEN, "Verkehrsunfall {client}"),
        (
            "Auffahrunfall im {past} in {city}. Die Versicherung kürzt Mietwagen und "
            "Sachverständigenkosten; offen sind {amount}.",
            "Schmerzensgeld nach einem Abbiegeunfall mit dem Fahrrad. Die Gegenseite wendet "
            "Mitverschulden von 50 % ein.",
        ),
        (
            ("letter_sent", "Ansprüche bei der Versicherung angemeldet"),
            ("payment_received", "Teilzahlung der Versicherung eingegangen"),
            ("complaint_filed", "Klage beim {court} eingereicht"),
            ("expert_report", "Unfallanalytisches Gutachten eingegangen"),
            ("hearing", "Verhandlung mit Anhörung der Beteiligten"),
        ),
        (_URTEIL, ("settlement", "Abfindungsvergleich mit der Versicherung")),
        "amtsgericht",
        "{b} C {n}/{yy}",
        "landgericht",
        (("co_defendant", "person", 0.4), ("witness", "person", 0.3), ("expert", "expert", 0.3)),
    ),
    Matter(
        DE,
        "construction",
        "Baurecht",
        6,
        "person",
        "builder",
        (*_GEGEN, "{client} ./. {opponent} – Baumängel"),
        (
            "Feuchteschäden im Keller des Neubaus {street}. Für die Beseitigung wird ein Vorschuss "
            "von {amount} verlangt.",
            "Der Estrich weist Risse auf, die Abnahme wurde verweigert. Die Gegenseite fordert "
            "Restwerklohn von {amount}.",
        ),
        (
            ("letter_sent", "Mängelrüge mit Frist zur Nacherfüllung versandt"),
            ("application_filed", "Selbständiges Beweisverfahren beim {court} beantragt"),
            ("expert_report", "Ortstermin und Gutachten zu den Mängeln"),
            ("complaint_filed", "Klage auf Vorschuss eingereicht"),
            ("brief_received", "Klageerwiderung mit Streitverkündung eingegangen"),
            ("hearing", "Anhörung des Sachverständigen"),
        ),
        (_URTEIL, _VERGLEICH),
        "landgericht",
        "{b} O {n}/{yy}",
        "oberlandesgericht",
        (("expert", "expert", 0.8), ("insurer", "insurer", 0.3), ("co_plaintiff", "relative", 0.3)),
    ),
    Matter(
        DE,
        "property",
        "Notariat",
        3,
        "person",
        None,
        ("Grundstückskauf {street}", "Kaufvertrag {client}, {street}"),
        ("Beurkundung eines Grundstückskaufvertrags über {amount}; Grundschuld der Bank besteht.",),
        (
            ("draft_sent", "Vertragsentwurf an die Beteiligten versandt"),
            ("contract_signed", "Kaufvertrag beurkundet"),
            ("application_filed", "Auflassungsvormerkung beim Grundbuchamt beantragt"),
            ("letter_sent", "Fälligkeit des Kaufpreises mitgeteilt"),
        ),
        (("register_entry", "Eigentumsumschreibung im Grundbuch erfolgt"),),
        others=(("buyer", "relative", 0.5), ("seller", "person", 1.0)),
        city=_FRANKFURT,
    ),
    Matter(
        EN,
        "employment",
        "Employment",
        9,
        "person",
        "firm",
        _VERSUS,
        (
            "Unfair dismissal after {years} years' service. No consultation took place before the "
            "post was made redundant.",
            "Claim for holiday pay and unlawful deductions of {amount}. The payslips do not match "
            "the rota.",
            "Constructive dismissal following a grievance in {past} that was never answered.",
        ),
        (
            ("conciliation", "Early conciliation certificate received from Acas"),
            ("complaint_filed", "Claim presented to the employment tribunal"),
            ("brief_received", "Employer's response received"),
            ("hearing", "Preliminary hearing by video"),
            ("deadline_set", "Witness statements due by {due}"),
            ("hearing", "Final hearing before the {court}"),
        ),
        (
            ("judgment", "Reserved judgment sent to the parties: dismissal unfair"),
            ("settlement", "Settled through Acas on a COT3"),
        ),
        "tribunal",
        "22{n:05d}/{yyyy}",
        "appeal_tribunal",
        (("witness", "person", 0.4),),
    ),
    Matter(
        EN,
        "employment",
        "Employment",
        4,
        "client_firm",
        "person",
        ("{client} and {opponent}", "{opponent} v. {client}"),
        (
            "Acting for the employer in a disability discrimination claim. Reasonable adjustments "
            "were offered in {past} and declined.",
            "Whistleblowing claim by a former sales lead; the disclosures and the reason are "
            "disputed.",
        ),
        (
            ("complaint_received", "Claim received from the employment tribunal"),
            ("brief_filed", "Response filed on behalf of the employer"),
            ("deadline_set", "Bundle to be agreed by {due}"),
            ("settlement_talks", "Judicial mediation"),
        ),
        (
            ("settlement", "Settlement agreement signed"),
            ("judgment", "Judgment: claim allowed in part"),
        ),
        "tribunal",
        "22{n:05d}/{yyyy}",
        "appeal_tribunal",
        (("witness", "person", 0.4),),
    ),
    Matter(
        EN,
        "tenancy",
        "Property",
        6,
        "person",
        "landlord",
        (*_VERSUS, "{client} v. {opponent} (disrepair)"),
        (
            "Disrepair claim for {street}: damp, a failed boiler and two reports that were "
            "ignored. Rent is {rent} a month.",
            "Damages for leaks at {street} and return of a deposit held back without reason.",
        ),
        _CLAIM,
        (_JUDGMENT, _CONSENT),
        "county_court",
        "K{a:02d}CL{n:03d}",
        None,
        (("expert", "expert", 0.4),),
    ),
    Matter(
        EN,
        "tenancy",
        "Property",
        4,
        "client_landlord",
        "person",
        ("{client} v. {opponent} (possession)", *_VERSUS),
        (
            "Possession of {street} for four months' arrears at {rent} a month; a counterclaim for "
            "disrepair is threatened.",
        ),
        (
            ("letter_sent", "Notice seeking possession served"),
            ("complaint_filed", "Possession claim issued"),
            ("brief_received", "Defence and counterclaim received"),
            ("hearing", "Possession hearing before the {court}"),
        ),
        (("order", "Possession order made, 28 days"), _CONSENT),
        "county_court",
        "K{a:02d}CL{n:03d}",
    ),
    Matter(
        EN,
        "litigation",
        "Litigation",
        9,
        "client_firm",
        "firm",
        (*_VERSUS, "{client} v. {opponent} (breach of contract)"),
        (
            "Debt claim for {amount} under a supply agreement. The defendant says the goods were "
            "off specification and relies on set-off.",
            "Breach of warranty after a software roll-out in {past}. Loss is put at {amount}; a "
            "limitation clause is in issue.",
        ),
        _CLAIM,
        (_JUDGMENT, _CONSENT),
        "high_court",
        "KB-{yyyy}-{n:06d}",
        "court_of_appeal",
        (("witness", "person", 0.4), ("expert", "expert", 0.2), ("insurer", "insurer", 0.2)),
        recurs=True,
    ),
    Matter(
        EN,
        "corporate",
        "Corporate",
        2,
        "client_firm",
        None,
        ("{client} (general retainer)",),
        ("General retainer for commercial advice; separate matters are opened as they arise.",),
        (
            ("meeting", "Kick-off meeting with the board"),
            ("contract_signed", "Engagement letter signed"),
            ("meeting", "Annual review of open matters"),
        ),
        (("file_closed", "Retainer ended by agreement"),),
        is_umbrella=True,
    ),
    Matter(
        EN,
        "corporate",
        "Corporate",
        4,
        "client_firm",
        "firm",
        ("{client}: purchase of {opponent}", "{client} and {opponent} (acquisition)"),
        (
            "Purchase of the entire issued share capital for {amount}, subject to completion "
            "accounts and a warranty retention.",
            "Purchase of the business and assets in {city}; the employees transfer under TUPE.",
        ),
        (
            ("meeting", "Heads of terms agreed"),
            ("document_review", "Due diligence report delivered"),
            ("draft_sent", "First draft sent to the other side"),
            ("negotiation", "All-parties call on warranties"),
        ),
        (("contract_signed", "Exchange and completion"), ("file_closed", "Deal fell through")),
    ),
    Matter(
        EN,
        "family",
        "Private Client",
        5,
        "person",
        "relative",
        ("{client} v. {opponent}", "{client} (financial remedy)"),
        (
            "Financial remedy after {years} years of marriage. The main assets are the family home "
            "at {street} and two pensions.",
            "Financial remedy following separation in {past}; provision for two children is in "
            "issue.",
        ),
        (
            ("meeting", "First meeting and costs estimate"),
            ("application_filed", "Application issued in the family court"),
            ("deadline_set", "Form E to be exchanged by {due}"),
            ("hearing", "First appointment"),
            ("hearing", "Financial dispute resolution hearing"),
        ),
        (("order", "Consent order approved"), ("order", "Final order made")),
        "family_court",
        "ZC{yy}P{n:05d}",
    ),
    Matter(
        EN,
        "inheritance",
        "Private Client",
        5,
        "person",
        "relative",
        ("In re Estate of {late}",),
        (
            "Contested probate: the will of {long_ago} leaves the estate to a neighbour. "
            "Capacity and undue influence are in issue.",
            "Claim for reasonable provision out of an estate of about {amount}, including "
            "{street}.",
        ),
        (
            ("application_filed", "Caveat entered against the grant"),
            ("document_received", "Will file received from the drafting solicitors"),
            ("letter_sent", "Letter of claim to the executors"),
            ("settlement_talks", "Mediation between the beneficiaries"),
        ),
        (("settlement", "Deed of family arrangement signed"), ("order", "Grant of probate issued")),
        "high_court",
        "PT-{yyyy}-{n:06d}",
        others=(("executor", "person", 0.5), ("beneficiary", "relative", 0.4)),
    ),
    Matter(
        EN,
        "tax",
        "Corporate",
        2,
        "client_firm",
        "hmrc",
        ("{client} v. HMRC",),
        (
            "Appeal against an assessment to VAT of {amount} on mixed supplies.",
            "Penalty of {amount} for a late corporation tax return; a reasonable excuse is put "
            "forward.",
        ),
        (
            ("letter_sent", "Statutory review requested"),
            ("complaint_filed", "Notice of appeal filed with the tribunal"),
            ("brief_received", "Statement of case received from HMRC"),
            ("hearing", "Hearing before the tribunal"),
        ),
        (
            ("judgment", "Decision released: appeal allowed in part"),
            ("settlement", "Agreed under section 54 TMA 1970"),
        ),
        "tax_tribunal",
        "TC/{yyyy}/{n:05d}",
        "upper_tribunal",
    ),
    Matter(
        EN,
        "criminal",
        "Crime",
        3,
        "person",
        None,
        ("R v. {client}",),
        (
            "Charge of fraud by false representation involving {amount}. A no-comment interview "
            "was given on advice.",
            "Health and safety prosecution after a fall from scaffolding at {street}.",
        ),
        (
            ("meeting", "Attendance at interview under caution"),
            ("charge_filed", "Charged by postal requisition"),
            ("hearing", "Plea and trial preparation hearing"),
            ("deadline_set", "Defence statement due by {due}"),
        ),
        (("verdict", "Verdict: not guilty"), ("order", "Proceedings discontinued")),
        "crown_court",
        "01AD{n:06d}{yy}",
        others=(("prosecutor", "prosecution", 1.0), ("witness", "person", 0.4)),
    ),
    Matter(
        EN,
        "insolvency",
        "Litigation",
        3,
        "client_firm",
        "firm",
        ("In re {opponent}",),
        (
            "Winding-up petition on an undisputed debt of {amount}.",
            "Winding-up petition after a statutory demand for {amount} went unanswered.",
        ),
        (
            ("letter_sent", "Statutory demand served"),
            ("application_filed", "Petition presented"),
            ("hearing", "Petition heard in the winding-up list"),
            ("meeting", "Creditors' decision procedure"),
        ),
        (("order", "Winding-up order made"), ("payment_received", "Dividend received")),
        "companies_court",
        "CR-{yyyy}-{n:06d}",
        others=(("liquidator", "person", 0.7),),
    ),
    Matter(
        EN,
        "ip",
        "Litigation",
        3,
        "client_firm",
        "firm",
        (*_VERSUS, "{client} v. {opponent} (passing off)"),
        (
            "Passing off and trade mark infringement by lookalike packaging first seen in {past}.",
            "Passing off by a rival web shop under a confusingly similar name; damages of {amount} "
            "sought.",
        ),
        _CLAIM,
        (_JUDGMENT, _CONSENT),
        "enterprise_court",
        "IP-{yyyy}-{n:06d}",
        "court_of_appeal",
    ),
    Matter(
        EN,
        "traffic",
        "Litigation",
        4,
        "person",
        "insurer",
        ("{client} v. {opponent}", "{client} (road traffic accident)"),
        (
            "Whiplash and loss of earnings after a rear-end collision in {past}. Liability is "
            "admitted, {amount} is in dispute.",
            "Cyclist struck at a junction in {city}; contributory negligence is alleged.",
        ),
        (
            ("letter_sent", "Claim notification sent to the insurer"),
            ("expert_report", "Medical report received"),
            ("complaint_filed", "Proceedings issued"),
            ("settlement_talks", "Part 36 offer received"),
            ("hearing", "Trial before the {court}"),
        ),
        (_JUDGMENT, ("settlement", "Part 36 offer accepted")),
        "county_court",
        "L{a:02d}CL{n:03d}",
        None,
        (("co_defendant", "person", 0.5), ("expert", "expert", 0.4)),
    ),
    Matter(
        EN,
        "construction",
        "Litigation",
        3,
        "client_firm",
        "builder",
        (*_VERSUS, "{client} v. {opponent} (final account)"),
        (
            "Enforcement of an adjudicator's decision for {amount}.",
            "Defective cladding at {street}; remedial cost is put at {amount}.",
        ),
        _CLAIM,
        (_JUDGMENT, _CONSENT),
        "construction_court",
        "HT-{yyyy}-{n:06d}",
        "court_of_appeal",
        (("expert", "expert", 0.6), ("insurer", "insurer", 0.4)),
    ),
)
