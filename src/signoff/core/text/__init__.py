"""Text and JSON, with no knowledge of the product.

``json_text``, ``json_value``, ``document_reader``: read what somebody else wrote, strictly and in linear time.
``json_diff``, ``json_paths``, ``text_diff``: what changed between two documents.
``hidden_characters``, ``masking``, ``urls``: hostile text and secrets, made safe to show.
``durations``: spans of time as people write them.
"""
