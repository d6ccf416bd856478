import { createConnection } from "node:net";

/** Tries to reach port 8000 of an address and says what came of it. */
const connection = createConnection({ host: process.argv[2] ?? "", port: 8000, timeout: 1500 });
const say = (what: string) => {
	console.log(what);
	process.exit(0);
};
connection.on("connect", () => say("connected"));
connection.on("timeout", () => say("nothing"));
connection.on("error", () => say("nothing"));
