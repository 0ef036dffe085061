"""The webinar as it is planned: schedule, access, PINs, and the sessions in which it ran.

"Event" is our word; the HTTP API, which follows an older one, says "conference".
"""
