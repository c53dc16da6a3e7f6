"""HTTP: JSON in and out, streams, pages, and the document that describes them. Async lives here.

``app`` routes; ``http`` turns bytes into checked requests; ``api`` is our API, ``axp`` what is AXP's alone, ``shapes``
the JSON of both, ``pages`` the site; ``state`` is shared by all of them.
"""
