"""The sweep YAML as frozen pydantic models without behaviour, and their loader.

There is one tagged union per family; every entry is `{type: …}`, and its defaults are the tested
setting. The docstring under a field becomes its description in the JSON schema. To add a plug-in,
join its family's union here, add the module named by the tag in the family's package, one line in
that package's table, and an example in the family's contract test.
"""
