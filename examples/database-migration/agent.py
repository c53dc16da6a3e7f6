"""The validator: checks a proposed change before a person is asked. Run it with: python agent.py"""

from signoff import Agent, StepFailed

agent = Agent("agent://myorg/production/infra-validator")

LOCKS_THE_TABLE = ("add_column_not_null", "change_type", "drop_column")


@agent.on("intent.infra.change_approval.v1")
def validate(intent):
    """Say what would happen; refuse what must not happen. The result is shown to the person who decides."""
    change = intent.payload
    if change.get("change_type") != "database_migration":
        raise StepFailed("unknown_change", f"I cannot judge a {change.get('change_type')!r}.")
    migration = change["migration"]
    locks = any(word in migration for word in LOCKS_THE_TABLE)
    return {
        "checked": migration,
        "target": change["target"],
        "locks_table": locks,
        "reversible": not migration.startswith("drop"),
        "risk": "high" if locks else "low",
    }


if __name__ == "__main__":
    agent.run()
