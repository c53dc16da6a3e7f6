"""HTTP: JSON in and out, streams, pages, and the OpenAPI document. The asynchronous code of requests is here.

``app`` routes requests; ``http`` turns bytes into checked requests. ``api`` is our own API, ``axp`` has the endpoints
that only AXP defines, ``shapes`` the JSON of both, and ``pages`` the site; ``reading`` is what several endpoints read,
``state`` is shared by all of them. ``hosts``: the names under which pages may be opened; ``body_turns``: how many
large bodies are handled at a time.
"""
