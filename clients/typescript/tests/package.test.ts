/** What is published: it installs into an empty folder, compiles there, and runs where there is no Node. */
import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { VERSION } from "@signoff/client";
import { ROOT, type Scripted, scriptedServer } from "./processes.js";

const HERE = join(ROOT, "clients/typescript");
const folder = mkdtempSync(join(tmpdir(), "signoff-package-"));
const server: Scripted = await scriptedServer();
after(async () => {
  rmSync(folder, { recursive: true, force: true });
  await server.end();
});

function run(command: string, args: readonly string[], cwd: string): string {
  const done = spawnSync(command, args, { cwd, encoding: "utf8", shell: false });
  assert.equal(done.status, 0, done.stdout + done.stderr);
  return done.stdout;
}

const CONSUMER = `
import { Agent, Client, type Result, StepFailed, VERSION } from "@signoff/client";
const client: Client = new Client({ url: "http://127.0.0.1:1", apiKey: "k" });
new Agent("a", { client }).on<{ n: number }>("t", async ({ payload, signal }) => ({ n: payload.n + 1, aborted: signal.aborted }));
export function why(result: Result): string {
  switch (result.status) {
    case "COMPLETED":
      return result.approved ? "approved" : "done";
    case "FAILED":
      return result.error?.message ?? result.status;
    case "CANCELED":
    case "TIMED_OUT":
      return result.status;
    default:
      return result satisfies never;
  }
}
// @ts-expect-error: a failed result is never approved
export const impossible = (result: Extract<Result, { status: "FAILED" }>): true => result.approved;
// @ts-expect-error: an intent has a type
export const untyped = (): Promise<string> => client.sendIntent({ payload: {} });
export const failed: StepFailed = new StepFailed("code", "message", { retryable: true });
console.log(VERSION);
`;

test("the package installs, compiles and runs in an empty folder", () => {
  run(process.execPath, ["pack.mjs"], HERE);
  const [packed] = JSON.parse(run("npm", ["pack", "--json", "--pack-destination", folder], join(HERE, "build/package")));
  writeFileSync(join(folder, "package.json"), '{"private": true, "type": "module"}');
  run("npm", ["install", "--offline", "--no-audit", "--no-fund", `./${packed.filename}`], folder);
  writeFileSync(join(folder, "consumer.ts"), CONSUMER);
  const installed = JSON.parse(readFileSync(join(folder, "node_modules/@signoff/client/package.json"), "utf8"));
  assert.equal(installed.dependencies, undefined);
  assert.equal(installed.version, VERSION);
  assert.match(installed.repository.url, /^git\+https:/);
  for (const options of [["--module", "nodenext"], ["--module", "esnext", "--moduleResolution", "bundler"]]) {
    const strict = ["--strict", "--exactOptionalPropertyTypes", "--noUncheckedIndexedAccess", "--target", "es2022"];
    run(join(HERE, "node_modules/.bin/tsc"), ["consumer.ts", ...strict, "--lib", "es2022,dom", "--types", "", ...options], folder);
  }
  assert.equal(run(process.execPath, ["consumer.js"], folder).trim(), VERSION);
  const readme = readFileSync(join(folder, "node_modules/@signoff/client/README.md"), "utf8");
  assert.deepEqual([...readme.matchAll(/\]\((?!https:)/g)], []);
});

test("only the module for Node imports Node's modules", () => {
  const files = readdirSync(join(HERE, "dist"), { recursive: true, encoding: "utf8" }).filter((name) => name.endsWith(".js"));
  const nodes = files.filter((name) => /from "node:/.test(readFileSync(join(HERE, "dist", name), "utf8")));
  assert.deepEqual(nodes, ["platform/node.js"]);
});

for (const page of ["", "page"]) {
  test(`it waits in ${page ? "a page, which has to allow it" : "a runtime that has only the standards"}`, async () => {
    const vector = server.vectors.find((one) => one.name === "wait_to_the_end");
    const url = `${server.url}/v/${crypto.randomUUID()}/${vector.name}`;
    const args = ["--experimental-vm-modules", "--no-warnings", join(import.meta.dirname, "edge-program.js")];
    const child = spawn(process.execPath, [...args, url, server.apiKey, vector.steps[0].with.intent_id, page]);
    let said = "";
    child.stdout.on("data", (part) => (said += part));
    child.stderr.on("data", (part) => (said += part));
    await once(child, "close");
    assert.equal(said.trim(), page ? "NotConfigured\nCOMPLETED" : "COMPLETED");
  });
}
