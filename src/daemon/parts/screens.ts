import type { Seen } from "../../api/screen.ts";
import { readPpm } from "../../screen/frame.ts";
import { type Looked, lookAgain } from "../../screen/look.ts";

/** How often a screen is looked at, milliseconds: a picture costs QEMU and this process some time. */
const everyMs = {
	usually: 3000,
	/** Nothing on the guest's processors answers: what stands on its screen says why. */
	suspicious: 1000,
} as const;

/** Looks at the screen of one session. */
export interface Screens {
	/**
	 * @param suspicious whether the guest gives reason to look sooner
	 * @returns what stands on it; undefined when it was looked at a moment ago, or cannot be seen. Never throws
	 */
	look(suspicious: boolean): Promise<Seen | undefined>;
	/** Looks at once. */
	lookNow(): Promise<Seen | undefined>;
}

/** For servers whose screens tell nothing. */
export const noScreens: Screens = { look: async () => undefined, lookNow: async () => undefined };

/** Has pictures taken, and what is on them recognised; one at a time. */
export class RecognisedScreens implements Screens {
	private readonly picture: () => Promise<Buffer>;
	private readonly now: () => number;
	/** The picture that was recognised last. */
	private last: Looked | undefined;
	private lookedAt = Number.NEGATIVE_INFINITY;
	private looking: Promise<Seen | undefined> | undefined;

	/**
	 * @param picture takes a picture of the screen, as PPM; of a session that may be captured
	 * @param now milliseconds since an arbitrary moment
	 */
	constructor(picture: () => Promise<Buffer>, now: () => number = () => performance.now()) {
		this.picture = picture;
		this.now = now;
	}

	async look(suspicious: boolean): Promise<Seen | undefined> {
		if (this.looking || this.now() - this.lookedAt < everyMs[suspicious ? "suspicious" : "usually"])
			return undefined;
		return await this.lookNow();
	}

	async lookNow(): Promise<Seen | undefined> {
		this.looking ??= this.takeIn().finally(() => {
			this.looking = undefined;
		});
		return await this.looking;
	}

	private async takeIn(): Promise<Seen | undefined> {
		this.lookedAt = this.now();
		try {
			const frame = readPpm(await this.picture());
			const seen = lookAgain(frame, this.last);
			// While it counts as unchanged it is compared with the same picture: many small changes are a large one.
			if (seen !== this.last?.seen) this.last = { frame, seen };
			return seen;
		} catch {
			// A QEMU that takes no picture, or a broken one, is noticed by other signs when something is wrong with it.
			return undefined;
		}
	}
}
