import { parentPort } from "node:worker_threads";
import { explain } from "../../api/errors.ts";
import { readPpm } from "../../screen/frame.ts";
import { lookAgain } from "../../screen/look.ts";
import type { LookedPicture, Reading, ScreenAnswer, ScreenRequest } from "./screen-reader.ts";

function read({ picture, last }: ScreenRequest): Reading {
	const before = process.threadCpuUsage();
	const looked = look(picture, last);
	const { user, system } = process.threadCpuUsage(before);
	return { looked, still: looked === last, tookMs: (user + system) / 1000 };
}

function look(picture: LookedPicture["picture"], last: LookedPicture | undefined): LookedPicture {
	const seen = lookAgain(readPpm(picture), last && { frame: readPpm(last.picture), seen: last.seen });
	// While it counts as unchanged it is compared with the same picture: many small changes are a large one.
	return last && seen === last.seen ? last : { picture, seen };
}

parentPort?.postMessage("ready");
parentPort?.on("message", (request: ScreenRequest) => {
	const { id } = request;
	try {
		const reading = read(request);
		const answer: ScreenAnswer = { id, ...reading };
		parentPort?.postMessage(answer, [reading.looked.picture.buffer]);
	} catch (error) {
		const answer: ScreenAnswer = { id, error: explain(error) };
		parentPort?.postMessage(answer);
	}
});
