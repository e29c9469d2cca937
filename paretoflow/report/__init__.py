"""Views of a sweep: a page, a picture for cards and papers, a sketch for terminals.

    page          the self-contained HTML report
    figures       the report's charts, as plain plotly dictionaries
    traces        the marks in the charts
    hover         the text under the pointer in a chart
    sections      the report's tables and texts
    labels        values in words, for all views
    samples       the choice of answers to show side by side, and their reader
    picture       the front as PNG or SVG
    diff_picture  two fronts in one picture or page
    still         common parts of pictures, by matplotlib
    sketch        the front as a small inline SVG or as characters, without a library
    notebook      the front in a notebook

All text from a model, a data set or a spec is escaped before it reaches HTML. The package reads
views, never a ledger.
"""
