/** The validator: checks a proposed change before a person is asked. Run it with: node agent.ts */
import { Agent, StepFailed } from "@signoff/client";

interface Change {
  change_type: string;
  target: string;
  migration: string;
}

const LOCKS_THE_TABLE = ["add_column_not_null", "change_type", "drop_column"];

const agent = new Agent("agent://myorg/production/infra-validator");

/** Say what would happen; refuse what must not happen. The result is shown to the person who decides. */
agent.on<Change>("intent.infra.change_approval.v1", ({ payload: change }) => {
  if (change.change_type !== "database_migration") {
    throw new StepFailed("unknown_change", `I cannot judge a ${JSON.stringify(change.change_type)}.`);
  }
  const locks = LOCKS_THE_TABLE.some((word) => change.migration.includes(word));
  return {
    checked: change.migration,
    target: change.target,
    locks_table: locks,
    reversible: !change.migration.startsWith("drop"),
    risk: locks ? "high" : "low",
  };
});

await agent.run();
