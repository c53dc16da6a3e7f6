"""The page of one task: the decision card, the answer, the record of the decision."""
