import { FrontDoor } from "../front-door/process.ts";

/** Starts the front door of a plan, tells its pid and waits to be killed. */
const door = await FrontDoor.ensure(JSON.parse(process.argv[2] ?? ""));
console.log(door.pid);
setInterval(() => {}, 60_000);
