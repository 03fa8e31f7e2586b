"""The cases domain: every rule, every statement, every error. It knows no web framework.

Words, used exactly so everywhere:

Workspace    one law firm (the tenant); its sandbox is a second workspace that test keys see
Case         a matter the firm works on (Akte), under a file number (Aktenzeichen)
Party        a person, an organization or a court; a CaseParty is its role in one case
Staff        someone who works at the firm; a StaffAssignment is their role in one case
CaseLink     joins two cases, with a type that has an inverse, seen from both ends
TimelineEvent  what was written, by whom and when, with before and after; append-only
Principal    who asks: workspace, API key and scopes

The wings, from the ground up; each imports only what is named before it:

the words   models inputs errors ids instants, and checks: what a text may be
storage     rows are kept; knows no rule of the firm
access      who may: principals, keys, rates
reading     what can be asked, its SQL and its values
writing     what changes the files: a scope check, a transaction, its events
transfer    cases as JSON lines, in and out; upkeep, the commands; demo, made-up cases
services    what both surfaces are given
"""
