"""What a sweep looks like: a page, a picture for cards and papers, a sketch for terminals.

    page          the HTML report, which needs nothing but itself
    figures       the report's charts, as plain plotly dictionaries
    traces        the marks in the charts
    hover         what a chart says under the pointer
    sections      the report's tables and texts
    labels        how values are worded everywhere
    samples       which answers to show side by side, and where they come from
    picture       the front as PNG or SVG
    diff_picture  two fronts in one picture or page
    still         what pictures share, by matplotlib
    sketch        the front as a small inline SVG or as characters, by nothing
    notebook      the front as a notebook shows it

All text that comes from a model, a data set or a spec is escaped before it reaches HTML.
Reads views, never a ledger.
"""
