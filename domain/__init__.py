"""The cases domain: every rule, every statement, every error. It knows no web framework.

Words, used exactly so everywhere:

Workspace    one law firm (the tenant); its sandbox is a second workspace that test keys see
Case         a matter the firm works on (Akte), under a file number (Aktenzeichen)
Party        a person, an organization or a court; a CaseParty is its role in one case
Staff        someone who works at the firm; a StaffAssignment is their role in one case
CaseLink     joins two cases, with a type that has an inverse, seen from both ends
TimelineEvent  what was written, by whom and when, with before and after; append-only
Principal    who asks: workspace, API key and scopes
"""
