"""Pages for billing staff: call records and what they cost, queues, price lists, corrections, the books.

They exist for people with the role `billing` or `admin`; for everybody else each of them is an unknown page.
Callers' numbers are masked; showing one, and exporting them whole, is a form of its own and leaves a trace in
the log. Whatever changes money or prices is shown first and then done, once.

    desk        who may come in, what the pages need, how they are rendered
    figures     amounts, times and lengths as the reader writes them; words, the texts behind keys
    search_form what was asked in the address → a search; sums, totals; sheet, the same rows as CSV
    calls, call, sessions, queues, reratings, rates, books, charts    the pages
    plots       the pictures of `charts`, as SVG
"""
