import type { Bus } from "../../api/guest.ts";

/** A disk of a server, and the file that it is copied to. */
export interface ExportedFile {
	/** `system`, or the data disk's name. */
	name: string;
	from: string;
	to: string;
	bus: Bus;
	virtualBytes: number;
}
