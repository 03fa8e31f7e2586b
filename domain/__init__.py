"""The cases domain: every rule, every statement, every error. It knows no web framework.

The vocabulary, used the same way everywhere:

Workspace    one law firm (the tenant); its sandbox is a second workspace, seen by test keys
Case         a matter the firm works on (Akte), filed under a file number (Aktenzeichen)
Party        a person, an organization or a court; a CaseParty is its role in one case
Staff        someone who works at the firm; a CaseStaff is their role in one case
CaseLink     a link between two cases, visible from both ends; each type has an inverse
TimelineEvent  an append-only record of one write: who, when, and the values before and after
Principal    the caller: workspace, API key and scopes

The wings, from the bottom up; each imports only those listed before it:

the words   models inputs errors ids instants, and checks: the rules for text fields;
            characters: what is unseen or looks alike; folding: keys to sort and compare by;
            words: those of a text, and the text as search keeps it
storage     keeps the rows; knows no rule of the firm
access      permissions and limits: principals, keys, rates
reading     the queries, their SQL and their values
writing     the changes: a scope check, a transaction, its events
transfer    cases as JSON lines, in and out; upkeep, the operator's commands; demo, made-up cases
services    the objects that both surfaces share
"""
