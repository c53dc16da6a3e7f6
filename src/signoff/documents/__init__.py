"""Documents from files: ``reading`` one as an object, the ``json_values`` and ``yaml_values`` of its text, and the
``lines`` of its fields.
"""
