/** For Node, and for Bun and Deno, which have its modules. Chosen by `imports` in package.json. */
import { mkdtempSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { hostname, tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import type { CredentialsFile } from "./other.js";

const FILE_NAME = "credentials.json";

export const isBrowser = (): boolean => false;

export function environment(name: string): string | undefined {
  return process.env[name];
}

/** The text of a file that a setting names. */
export function readText(path: string): string {
  return readFileSync(path, "utf8");
}

/** The credentials files to check, nearest first, each with its text or the reason why it is not used. */
export function* credentialsFiles(): Generator<CredentialsFile> {
  const data = environment("SIGNOFF_DATA");
  if (data) yield read(join(data, FILE_NAME), false);
  for (let folder = resolve("."); ; folder = dirname(folder)) {
    yield read(join(folder, ".signoff", FILE_NAME), true);
    if (dirname(folder) === folder) break;
  }
  const config = environment("XDG_CONFIG_HOME");
  const home = environment("HOME") || environment("USERPROFILE");
  if (config) yield read(join(config, "signoff", FILE_NAME), false);
  else if (home) yield read(join(home, ".config", "signoff", FILE_NAME), false);
}

function read(path: string, walked: boolean): CredentialsFile {
  try {
    const owner = statSync(path).uid;
    const text = readFileSync(path, "utf8");
    // In a shared folder such as /tmp, anyone could put a file that determines where payloads are sent.
    const user = process.geteuid?.();
    if (walked && user !== undefined && owner !== user && owner !== 0) {
      return { path, why: "belongs to another user, ignored" };
    }
    return { path, text };
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    return { path, why: code === "ENOENT" ? "not found" : `cannot be read (${code ?? "unknown"})` };
  }
}

/** This process's name, for the server. */
export function processName(): string {
  return `${hostname()}:${process.pid}`;
}

/** Save a result that cannot be reported in a file that only this user can read; a sentence that says where. */
export function keep(name: string, text: string): string {
  try {
    const path = join(mkdtempSync(join(tmpdir(), "signoff-result-")), `${name.replace(/[^\w-]/g, "").slice(0, 80)}.json`);
    writeFileSync(path, text, { mode: 0o600, flag: "wx" });
    return `It is saved on ${hostname()} in ${path}.`;
  } catch (error) {
    return `It could not be saved: ${(error as NodeJS.ErrnoException).code ?? "unknown"}.`;
  }
}

/** Call `told` on SIGINT and SIGTERM, until the returned function is called. */
export function onSignals(told: () => void): () => void {
  const signals = ["SIGINT", "SIGTERM"] as const;
  for (const signal of signals) process.on(signal, told);
  return () => {
    for (const signal of signals) process.off(signal, told);
  };
}
