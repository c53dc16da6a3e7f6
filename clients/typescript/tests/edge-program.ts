/**
 * Loads the client as a runtime does that is neither Node nor a browser: with the standards that it names and nothing else. Run with
 * --experimental-vm-modules by edge.test.ts; prints the result of a wait.
 */
import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import vm from "node:vm";

const DIST = join(import.meta.dirname, "../../dist");
const [url, apiKey, intentId, page] = process.argv.slice(2);
const given = {
  fetch, ReadableStream, AbortController, AbortSignal, crypto, TextDecoder, TextEncoder, URL, URLSearchParams,
  setTimeout, clearTimeout, performance, console,
};
const context = vm.createContext(page ? { ...given, window: { document: {} } } : given);
const modules = new Map<string, vm.SourceTextModule>();

function load(path: string): vm.SourceTextModule {
  const known = modules.get(path);
  if (known) return known;
  const made = new vm.SourceTextModule(readFileSync(path, "utf8"), { context, identifier: path });
  modules.set(path, made);
  return made;
}

function link(specifier: string, from: vm.Module): vm.SourceTextModule {
  if (specifier === "#platform") return load(join(DIST, "platform/other.js"));
  if (!specifier.startsWith(".")) throw new Error(`${from.identifier} imports ${specifier}`);
  return load(join(dirname(from.identifier), specifier));
}

const main = load(join(DIST, "index.js"));
await main.link(link);
await main.evaluate();
const { Client } = main.namespace as typeof import("@signoff/client");
try {
  new Client({ url: url!, apiKey: apiKey!, dangerouslyAllowBrowser: false });
} catch (error) {
  console.log((error as Error).name);
}
const client = new Client({ url: url!, apiKey: apiKey!, dangerouslyAllowBrowser: true });
const result = await client.waitFor(intentId!);
console.log(result.status);
