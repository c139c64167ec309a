"""The site: results as static pages that need no server, no script of others and no network.

    index.html     the reproduction matrix        tables/*.html    values, verdicts, figures of a table
    runs/*.html    a method on a data set         methods/*.html   what it is, how it did
    data/*.html    a data set and its results     ablations.html   which choices matter
    illustrated.html, data/*-statistics.html      made elsewhere, copied

Made from what ``emde tables`` left (``benchmark.tables.model.Results``); ranked lists are never read.
"""
