import { existsSync } from "node:fs";
import { Lab } from "../lab.ts";
import { demoState } from "./state.ts";

if (existsSync(demoState)) {
	await new Lab(demoState).disposeKept();
	console.log("The demo's servers, disks, network and daemon are gone.");
} else {
	console.log("There is no demo to remove.");
}
