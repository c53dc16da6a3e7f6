export const settings = { url: process.env.SIGNOFF_URL!, key: process.env.SIGNOFF_API_KEY! };

/** A request that a person decides. */
export function asked(generator: string) {
  return {
    intent_type: "intent.db.migrate.v1",
    payload: { generator, table: "users", rows: [1, 2, 3], nested: { to_version: 42, online: true } },
    human_task: { title: "Migrate users?", assignees: ["ann@example.test"] },
  };
}

/** Waits for the outcome, and fails unless it is an approval. */
export async function until(outcome: () => Promise<string | undefined>): Promise<void> {
  const last = Date.now() + 30_000;
  while (Date.now() < last) {
    const found = await outcome();
    if (found === "approved") return;
    if (found !== undefined) throw new Error(`decided: ${found}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error("nobody decided within 30 seconds");
}
