"""Text and JSON, with no knowledge of the product.

``json_text``, ``json_value``, ``document_reader``: read untrusted documents, strictly and in linear time.
``struct_reader``: reads an object of a document into a struct. ``canonical_json``: the bytes of a value, and their
digest. ``describe``: describes a value in a message. ``json_paths``, ``json_diff``, ``text_diff``, ``hunks``: the
values of a document by path, and what changed between two. ``hidden_characters``, ``masking``, ``urls``: make hostile
text and secrets safe to show. ``amounts``, ``durations``, ``times``, ``subject``: human-readable forms.
"""
