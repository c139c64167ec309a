"""The site: results as static pages that need no server, no script of others and no network.

    index.html     the reproduction matrix        tables/*.html    values, verdicts, figures of a table
    runs/*.html    a method on a data set         methods/*.html   what it is, how it did
    data/*.html    a data set and its results     ablations.html   which choices matter
    claims.html, claims/*.html     of kept results: the paper's claims; one of them, its rows, commands, picture
    costs.html       what it took: of kept results; a profile's site links to what ``emde costs`` made
    runs/index.html, compare.html                 all runs; two of them side by side
    illustrated.html, data/*-statistics.html      made elsewhere, copied, with the site's navigation
    search.js, runs.js, tables/*.{csv,md,tex}     what search and comparing read; a table as a file

Made from what ``emde tables`` left (``benchmark.report.tables.model.Results``); ranked lists are never read.
"""
