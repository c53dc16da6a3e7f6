"""HTTP: JSON in and out, streams, and the document that describes them. Async lives here."""
