// A client of the official TypeScript SDK: `node typescript_client.mjs CALLS COMMAND ARG...` starts the server over
// stdio, lists its tools, makes the calls ([[tool, arguments], ...] as JSON) and prints {tools, results} as JSON.
import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { StdioClientTransport } from "@modelcontextprotocol/sdk/client/stdio.js";

const [calls, command, ...args] = process.argv.slice(2);
const client = new Client({ name: "typescript-client", version: "1.0.0" });
await client.connect(new StdioClientTransport({ command, args, env: process.env }));
const { tools } = await client.listTools();
const results = [];
for (const [name, input] of JSON.parse(calls)) {
  results.push(await client.callTool({ name, arguments: input }));
}
await client.close();
console.log(JSON.stringify({ tools, results }));
