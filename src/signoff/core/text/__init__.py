"""Text and JSON, with no knowledge of the product.

``json_text``, ``json_value``, ``document_reader``: read untrusted documents, strictly and in linear time.
``struct_reader``: an object of a document as a struct. ``describe``: what a message says about a value. ``json_paths``,
``json_diff``, ``text_diff``: the values of a document by path, and what changed between two. ``hidden_characters``,
``masking``, ``urls``: hostile text and secrets, made safe to show. ``durations``, ``times``: in human-readable form.
"""
