import { Lab } from "../lab.ts";
import { host } from "./places.ts";
import { installationState, removeAll } from "./remains.ts";

await removeAll(new Lab(installationState, host));
console.log("Servers, disks, networks and daemon of the installation are gone.");
