/** A program with a gated function, to be killed: gate-program.js ORDER AGAIN [crash]. It writes "ran" into the file ORDER. */
import { appendFileSync } from "node:fs";
import { gate } from "@signoff/client";

const [order = "", again = "ask", crash] = process.argv.slice(2);

const refund = gate(
  ({ order }: { order: string }) => {
    appendFileSync(order, "ran\n");
    if (crash) process.kill(process.pid, "SIGKILL");
  },
  { intentType: "intent.payments.refund.v1", again: again as "ask" | "refuse" | "run" },
);

const pending = await refund.ask({ order });
console.log("asked", pending.intentId);
await pending.wait();
